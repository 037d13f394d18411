import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { fileFault } from '../base/file-fault.ts';
import type { Logger } from '../base/logger.ts';
import { pipelineIdSchema, pipelineSchema, type PipelineRequest } from './common/pipeline-schema.ts';

/** A pipeline as it is kept on disk. */
export interface KeptPipeline {
  readonly id: string;
  readonly pipeline: PipelineRequest;
  readonly createdAtMs: number;
  /** It was paused. */
  readonly isHeld: boolean;
  readonly token?: string | undefined;
}

/** One JSON file for each pipeline that is to survive a restart. Only the server's user can read them: they hold credentials. */
export class PipelineStore {
  readonly #folder: string;
  readonly #logger: Logger;
  /** Writes of one pipeline come one after another. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** All that can be read; what cannot is told of and left as it is. */
  async load(): Promise<KeptPipeline[]> {
    const names = await readdir(this.#folder).catch(() => [] as string[]);
    const kept: KeptPipeline[] = [];
    for (const name of names.filter((each) => each.endsWith('.json')).sort()) {
      try {
        kept.push(parse(JSON.parse(await readFile(join(this.#folder, name), 'utf8')) as Record<string, unknown>));
      } catch (error) {
        this.#logger.error({ file: join(this.#folder, name), error: messageOf(error) }, 'kept pipeline cannot be read');
      }
    }
    return kept;
  }

  save(kept: KeptPipeline): Promise<void> {
    return this.#after(kept.id, async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const path = this.#pathOf(kept.id);
      await writeFile(`${path}.tmp`, `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600, flush: true });
      await rename(`${path}.tmp`, path);
    });
  }

  forget(id: string): Promise<void> {
    return this.#after(id, () => rm(this.#pathOf(id), { force: true }));
  }

  #after(id: string, step: () => Promise<void>): Promise<void> {
    const done = (this.#writing.get(id) ?? Promise.resolve()).then(step).catch((error: unknown) => {
      // A disk that is full or read-only must not keep a pipeline from running, or from ending.
      this.#logger.error({ pipeline: id, error: fileFault(error) }, 'pipeline cannot be kept on disk');
    });
    this.#writing.set(id, done);
    void done.then(() => {
      if (this.#writing.get(id) === done) this.#writing.delete(id);
    });
    return done;
  }

  #pathOf(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

function parse(value: Record<string, unknown>): KeptPipeline {
  return {
    id: pipelineIdSchema.parse(value['id']),
    pipeline: pipelineSchema.parse(value['pipeline']),
    createdAtMs: Number(value['createdAtMs']),
    isHeld: value['isHeld'] === true,
    token: typeof value['token'] === 'string' ? value['token'] : undefined,
  };
}
