import { open, type FileHandle } from 'node:fs/promises';
import { MillraceError } from '../../../base/errors.ts';
import { fileFault } from '../../../base/file-fault.ts';
import { resultJson } from './payload.ts';
import type { ResultDriver } from './result-queue.ts';
import type { ResultRecord } from './result-record.ts';

/** After a failure the file is opened anew, at most this often. */
const RETRY_MS = 1000;

/** One line of JSON per frame, appended to a file. A disk that is full costs lines, never the pipeline. */
export class JsonLinesResults implements ResultDriver {
  readonly type = 'json_lines';
  readonly target: string;
  #file: FileHandle | undefined;
  #failure: MillraceError | undefined;
  #failedAtMs = 0;
  /** The last line was cut off by a failure. */
  #isLineOpen = false;

  constructor(path: string) {
    this.target = path;
  }

  async write(record: ResultRecord): Promise<void> {
    if (this.#failure !== undefined && performance.now() - this.#failedAtMs < RETRY_MS) throw this.#failure;
    try {
      this.#file ??= await open(this.target, 'a');
      const line = `${this.#isLineOpen ? '\n' : ''}${JSON.stringify(resultJson(record))}\n`;
      this.#isLineOpen = true;
      await this.#file.appendFile(line);
      this.#isLineOpen = false;
      this.#failure = undefined;
    } catch (error) {
      this.#failedAtMs = performance.now();
      this.#failure = new MillraceError('SINK_FAILED', `sink json_lines: ${this.target}: ${fileFault(error)}`);
      await this.close();
      throw this.#failure;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }
}
