const CLASS_BYTES = 256 * 1024;

/**
 * Memory for big messages, used again. A fresh buffer of some MiB costs page faults, and garbage collections later, which
 * together are dearer than copying into it. What is not given back is simply collected, so nobody must.
 */
export class BufferPool {
  readonly #maxBytes: number;
  readonly #free = new Map<number, ArrayBufferLike[]>();
  readonly #lent = new WeakSet<ArrayBufferLike>();
  #freeBytes = 0;

  /** @param maxBytes kept for later use, at most */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `bytes` of memory with whatever was in it; starts 8-aligned. */
  take(bytes: number): Buffer {
    const size = Math.ceil(bytes / CLASS_BYTES) * CLASS_BYTES;
    let memory = this.#free.get(size)?.pop();
    if (memory === undefined) memory = Buffer.allocUnsafeSlow(size).buffer;
    else this.#freeBytes -= size;
    this.#lent.add(memory);
    return Buffer.from(memory, 0, bytes);
  }

  /**
   * Gives back the memory that `view` looks at, if it came from here; else does nothing. Nobody may look at any part of it
   * afterwards.
   */
  give(view: Uint8Array): void {
    const memory = view.buffer;
    if (!this.#lent.delete(memory)) return;
    const size = memory.byteLength;
    if (this.#freeBytes + size > this.#maxBytes) {
      // Sizes change over time: start anew rather than keep those that nobody asks for.
      this.#free.clear();
      this.#freeBytes = 0;
      if (size > this.#maxBytes) return;
    }
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [memory]);
    else free.push(memory);
    this.#freeBytes += size;
  }
}
