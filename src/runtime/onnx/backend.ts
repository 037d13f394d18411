import { stat } from 'node:fs/promises';
import { messageOf } from '../../base/errors.ts';
import { conversionHint, isModelFile, MODEL_EXTENSIONS } from '../../base/model-files.ts';
import type { Logger } from '../../base/logger.ts';
import { noTiming } from '../../ipc/run-timing.ts';
import type { Backend, BackendSession, ExecutionProvider, ModelOptions, RunMonitor } from '../model-session.ts';
import { briefly, fileFault, modelInvalid, type Refusal } from './load-failure.ts';
import { OnnxSession } from './onnx-session.ts';
import { importOrt, type Ort, type OrtSession } from './ort.ts';
import { RunPlaces, type RunPlace } from './run-places.ts';

/** Loads ONNX files into ONNX Runtime. One per process: the models of a thread run one after another. */
export class OnnxBackend implements Backend {
  readonly name = 'onnx';
  readonly #importOrt: () => Promise<Ort>;
  readonly #places = new RunPlaces();

  constructor(load: () => Promise<Ort> = importOrt) {
    this.#importOrt = load;
  }

  accepts(path: string): boolean {
    return isModelFile(path);
  }

  async load(options: ModelOptions, monitor: RunMonitor, logger: Logger): Promise<BackendSession> {
    if (!this.accepts(options.path)) {
      throw modelInvalid(
        options,
        conversionHint([options.path]) ?? `a file ending in ${MODEL_EXTENSIONS.join(' or ')} expected`,
      );
    }
    const bytes = await checkFile(options);
    const ort = await this.#importOrt();
    const { place, leave } = this.#places.enter(ort, options.inferenceThreads ?? 0, bytes);
    const { session, provider, refusals } = await this.#open(place, options, monitor).catch((error: unknown) => {
      leave();
      throw error;
    });
    try {
      const loaded = new OnnxSession(options, { ort, session, provider, place, leave, monitor });
      const refused = refusals.map((refusal) => `${refusal.provider} (${refusal.message})`).join(', ');
      const detail = refused === '' ? '' : `; refused by ${refused}`;
      logger[refused === '' ? 'info' : 'warn'](
        { model: options.name, version: options.version, provider, refusals },
        `model '${options.name}' version ${options.version} runs on ${provider}${detail}`,
      );
      return loaded;
    } catch (error) {
      await session.release().then(leave, leave);
      throw modelInvalid(options, messageOf(error), error);
    }
  }

  /** The session of the first provider that takes the model. Opening blocks the thread as a run does, hence the queue. */
  async #open(
    { thread, queue, opener }: RunPlace,
    options: ModelOptions,
    monitor: RunMonitor,
  ): Promise<{ session: OrtSession; provider: ExecutionProvider; refusals: Refusal[] }> {
    const refusals: Refusal[] = [];
    for (const provider of options.executionProviders) {
      try {
        const session = await queue.run(async () => {
          await monitor.runStarted(0, thread);
          try {
            return await opener.createSession(options.path, provider, options.intraOpThreads);
          } finally {
            monitor.runEnded(noTiming, thread);
          }
        });
        return { session, provider, refusals };
      } catch (error) {
        const message = messageOf(error);
        const fault = fileFault(message);
        if (fault !== undefined) throw modelInvalid(options, fault, error);
        refusals.push({ provider, message: briefly(message) });
      }
    }
    const reasons = refusals.map(({ provider, message }) => `${provider}: ${message}`).join('; ');
    throw modelInvalid(
      options,
      reasons === '' ? 'no execution provider is configured' : `no provider took it: ${reasons}`,
    );
  }
}

/** @returns its size */
async function checkFile(options: ModelOptions): Promise<number> {
  let size: number;
  try {
    const found = await stat(options.path);
    if (!found.isFile()) throw new Error('it is no file');
    size = found.size;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw modelInvalid(options, missing ? 'there is no such file' : messageOf(error), error);
  }
  if (size === 0) throw modelInvalid(options, 'the file is empty');
  return size;
}

export const onnxBackend: Backend = new OnnxBackend();
