import { rmSync, writeFileSync } from 'node:fs';

/** As recorded answers have it. */
const RECORDED_KEY = '/millrace-conformance';

/** The shared memory object that the exchanges name; of this process alone, since others may put the same exchanges meanwhile. */
export const OBJECT_KEY = `${RECORDED_KEY}-of-${process.pid}`;
/** More of them, for regions at once: this Triton maps an object once only. */
export const PART_KEY = `${OBJECT_KEY}-part`;
export const WEB_KEY = `${OBJECT_KEY}-web`;
export const SPARE_KEY = `${OBJECT_KEY}-spare`;

/** Objects of 64 bytes: FP32 1 and 2, a BYTES element "word" at byte 16, zeros. They go with disposal. */
export class SharedObject implements Disposable {
  readonly #paths = [OBJECT_KEY, PART_KEY, WEB_KEY, SPARE_KEY].map((key) => `/dev/shm${key}`);

  constructor() {
    const data = Buffer.alloc(64);
    data.writeFloatLE(1, 0);
    data.writeFloatLE(2, 4);
    data.writeUInt32LE(4, 16);
    data.write('word', 20);
    for (const path of this.#paths) writeFileSync(path, data);
  }

  [Symbol.dispose](): void {
    for (const path of this.#paths) rmSync(path, { force: true });
  }
}

/** A text with the names that every process would have. */
export function withRecordedKeys(text: string): string {
  return text.replaceAll(OBJECT_KEY, RECORDED_KEY);
}
