import { closeSync, constants } from 'node:fs';
import type { SharedFile } from '../tensor/shared-bytes.ts';
import { openShared, type SharedFiles } from './shared-file.ts';

/** A file that nobody has asked for in so long is closed: once its region is gone, that is what holds its memory. */
const IDLE_MS = 1000;
const MAX_OPEN = 64;

interface Kept {
  readonly fd: number;
  isUsed: boolean;
}

/**
 * Files of regions that stay open between requests, which saves three system calls per tensor. One that is open cannot be
 * mistaken for another: its inode is not used again before it is closed.
 */
export class KeptFiles implements SharedFiles, Disposable {
  /** By device and inode, those opened last at the end. */
  readonly #open = new Map<string, Kept>();
  #sweep: NodeJS.Timeout | undefined;

  use<T>(region: string, file: SharedFile, use: (fd: number) => T): T {
    const kept = this.#open.get(file.id) ?? this.#add(region, file);
    kept.isUsed = true;
    return use(kept.fd);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    for (const { fd } of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #add(region: string, file: SharedFile): Kept {
    const kept = { fd: openShared(region, file, constants.O_RDWR), isUsed: true };
    if (this.#open.size >= MAX_OPEN) this.#close(this.#open.keys().next().value as string);
    this.#open.set(file.id, kept);
    this.#sweep ??= setInterval(() => this.#closeIdle(), IDLE_MS).unref();
    return kept;
  }

  #closeIdle(): void {
    for (const [id, kept] of this.#open) {
      if (!kept.isUsed) this.#close(id);
      kept.isUsed = false;
    }
    if (this.#open.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #close(id: string): void {
    closeSync((this.#open.get(id) as Kept).fd);
    this.#open.delete(id);
  }
}
