import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { readPipe, type PipeTarget } from './pipe-reader.ts';

/** Gathers what comes, in pieces of at most `size` bytes. */
class Gatherer implements PipeTarget {
  readonly #memory: Buffer;
  #text = '';

  constructor(size: number) {
    this.#memory = Buffer.alloc(size);
  }

  get text(): string {
    return this.#text;
  }

  room(): Buffer {
    return this.#memory;
  }

  filled(bytes: number): void {
    this.#text += this.#memory.toString('latin1', 0, bytes);
  }
}

const LINES = 'for (let i = 0; i < 20000; i++) process.stdout.write(i + "\\n")';
const EXPECTED = Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join('');

it.each([1000, 65_536])("reads a child's output into the target's memory, %d bytes at a time", async (size) => {
  const child = spawn(process.execPath, ['-e', LINES], { stdio: ['ignore', 'pipe', 'inherit'] });
  const target = new Gatherer(size);
  const pipe = readPipe(child.stdout, target);
  expect(pipe).not.toBe(child.stdout); // this Node is built as expected
  await once(pipe, 'close');
  expect(target.text).toBe(EXPECTED);
});

it('can be held back, and goes on where it was', async () => {
  const child = spawn(process.execPath, ['-e', LINES], { stdio: ['ignore', 'pipe', 'inherit'] });
  const target = new Gatherer(1000);
  let isHeld = false;
  const pipe = readPipe(child.stdout, {
    room: () => target.room(),
    filled: (bytes) => {
      expect(isHeld).toBe(false);
      target.filled(bytes);
      if (target.text.length % 7 > 0) return;
      isHeld = true;
      pipe.pause();
      setImmediate(() => {
        isHeld = false;
        pipe.resume();
      });
    },
  });
  await once(pipe, 'close');
  expect(target.text).toBe(EXPECTED);
});

it('ends when it is destroyed', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pipe = readPipe(child.stdout, new Gatherer(10));
  pipe.destroy();
  await once(pipe, 'close');
  child.kill('SIGKILL');
  await once(child, 'close');
});

it('copies from a stream of another kind', async () => {
  const target = new Gatherer(3);
  const pipe = readPipe(Readable.from([Buffer.from('abcde'), Buffer.from('fg')]), target);
  await once(pipe, 'end');
  expect(target.text).toBe('abcdefg');
});
