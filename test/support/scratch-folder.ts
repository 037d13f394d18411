import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder of a test's own, removed at its end; all paths given are relative to it. */
export class ScratchFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<ScratchFolder> {
    return new ScratchFolder(await mkdtemp(join(tmpdir(), 'millrace-scratch-')));
  }

  /** Writes a file, an object as JSON. @returns its absolute path */
  async put(path: string, content: string | object): Promise<string> {
    const full = await this.#makeRoom(path);
    await writeFile(full, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
    return full;
  }

  /** Copies a file from elsewhere. @returns its absolute path */
  async copy(from: string, path: string): Promise<string> {
    const full = await this.#makeRoom(path);
    await cp(from, full);
    return full;
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.path, path), { recursive: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }

  async #makeRoom(path: string): Promise<string> {
    const full = join(this.path, path);
    await mkdir(dirname(full), { recursive: true });
    return full;
  }
}
