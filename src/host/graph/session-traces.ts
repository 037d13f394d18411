import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { TraceRecorder, type TraceSettings, type ValidatedGraph } from '../../graph/index.ts';

/** One session's trace; `end` writes its file. */
export interface SessionTrace {
  readonly hooks: TraceRecorder['hooks'];
  end(): void;
}

/** Traces the sessions of a graph whose `profiler_config` asks for it: a Chrome trace file each, written at its end. */
export class SessionTraces {
  readonly #graph: ValidatedGraph;
  readonly #servable: string;
  readonly #settings: TraceSettings;
  readonly #logger: Logger;
  #count = 0;

  constructor(graph: ValidatedGraph, servable: string, settings: TraceSettings, logger: Logger) {
    this.#graph = graph;
    this.#servable = servable;
    this.#settings = settings;
    this.#logger = logger;
  }

  begin(): SessionTrace {
    const recorder = new TraceRecorder(this.#graph, this.#settings.capacity);
    const path = this.#nextPath();
    return { hooks: recorder.hooks, end: () => this.#write(path, recorder) };
  }

  /** `<prefix><servable>_<pid>_<number>.json`; where file names are not used again, with the time before the number. */
  #nextPath(): string {
    const { pathPrefix, fileCount } = this.#settings;
    const count = this.#count++;
    const time = new Date().toISOString().replaceAll(/[-:]/g, '');
    const number = fileCount === undefined ? `${time}_${count}` : String(count % fileCount);
    return `${pathPrefix}${this.#servable.replaceAll(/[^\w.-]/g, '_')}_${process.pid}_${number}.json`;
  }

  /** At once: a host may end right after its last session. A file that cannot be written is for the log. */
  #write(path: string, recorder: TraceRecorder): void {
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(recorder.toChromeTrace()));
    } catch (error) {
      this.#logger.warn({ servable: this.#servable, path }, `trace cannot be written: ${messageOf(error)}`);
    }
  }
}
