import { rmSync, writeFileSync } from 'node:fs';

/** The shared memory object that the exchanges name; both servers run on this machine, one after the other. */
export const OBJECT_KEY = '/millrace-conformance';

/** 64 bytes of shared memory: FP32 1 and 2, a BYTES element "word" at byte 16, zeros. It goes with disposal. */
export class SharedObject implements Disposable {
  readonly #path = `/dev/shm${OBJECT_KEY}`;

  constructor() {
    const data = Buffer.alloc(64);
    data.writeFloatLE(1, 0);
    data.writeFloatLE(2, 4);
    data.writeUInt32LE(4, 16);
    data.write('word', 20);
    writeFileSync(this.#path, data);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { force: true });
  }
}
