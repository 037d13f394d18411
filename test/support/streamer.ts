import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeBytes, textData } from '../../src/tensor/bytes.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { ROOT } from './paths.ts';
import { pythonPath } from './python.ts';
import { RawStream } from './raw-stream.ts';
import { ScratchFolder } from './scratch-folder.ts';
import { startServer, type ServerOptions, type TestServer } from './start-server.ts';

/** In which language the test model is, and for Python whose `mlserver` it imports. */
export type Variant = 'TypeScript' | 'Python' | 'Python with MLServer';

export const VARIANTS: readonly Variant[] = ['TypeScript', 'Python', 'Python with MLServer'];

const SOURCES = join(ROOT, 'test/fixtures/mlserver/streamer');

/** A server of the model `streamer` (see its file for what prompts ask of it) and of `one-answer`, which does not stream. */
export class StreamerServer implements AsyncDisposable {
  readonly server: TestServer;
  readonly #folder: ScratchFolder;

  private constructor(server: TestServer, folder: ScratchFolder) {
    this.server = server;
    this.#folder = folder;
  }

  /**
   * @param settings of settings.json
   * @param model more of the model's settings
   */
  static async start(
    variant: Variant,
    settings: object = {},
    model: object = {},
    options: ServerOptions = {},
  ): Promise<StreamerServer> {
    const folder = await ScratchFolder.create();
    const isPython = variant !== 'TypeScript';
    for (const file of isPython ? ['streamer.py', 'one_answer.py'] : ['streamer.ts', 'one-answer.ts']) {
      await folder.copy(join(SOURCES, file), file);
    }
    await folder.put('settings.json', { parallel_workers: 1, ...settings });
    await folder.put('model-settings.json', {
      name: 'streamer',
      implementation: isPython ? 'streamer.Streamer' : './streamer.ts',
      parameters: { extra: { log: join(folder.path, 'log') } },
      ...model,
    });
    await folder.put('one-answer/model-settings.json', {
      implementation: isPython ? 'one_answer.OneAnswer' : '../one-answer.ts',
      ...model,
    });
    const python = { MILLRACE_PYTHON: await pythonPath(variant === 'Python' ? 'clients' : 'mlserver') };
    const env = { ...(isPython ? python : undefined), ...options.env };
    try {
      return new StreamerServer(await startServer({ ...options, folder: folder.path, env }), folder);
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A stream in MLServer's dialect, with one request and the half-close sent. */
  ask(prompt: string, { model = 'streamer', version = '' } = {}): RawStream {
    const stream = new RawStream(this.server.mlserverAddress, model, { dialect: 'mlserver', version });
    stream.send([promptTensor(prompt)]);
    stream.halfClose();
    return stream;
  }

  /** Puts a prompt over REST; `path` is the last part of the URL. */
  post(prompt: string, { path = 'generate_stream', model = 'streamer', headers = {}, signal }: PostOptions = {}) {
    const body = { inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], data: [prompt] }] };
    const url = `${this.server.restUrl}/v2/models/${model}/${path}`;
    return fetch(url, { method: 'POST', body: JSON.stringify(body), headers, signal: signal ?? null });
  }

  /** What the model has noted. */
  async log(): Promise<string> {
    const path = join(this.#folder.path, 'log');
    return existsSync(path) ? readFile(path, 'utf8') : '';
  }

  /** Lets the prompt `wait` go on. */
  async go(): Promise<void> {
    await writeFile(join(this.#folder.path, 'log.go'), '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await this.#folder[Symbol.asyncDispose]();
  }
}

interface PostOptions {
  readonly path?: string;
  readonly model?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export function promptTensor(prompt: string): Tensor {
  return { name: 'prompt', datatype: 'BYTES', shape: [1], data: encodeBytes([prompt]) };
}

/** The texts that a stream has brought so far. */
export function wordsOf({ responses }: RawStream): string[] {
  return responses.flatMap(({ outputs }) => outputs.flatMap(textData));
}
