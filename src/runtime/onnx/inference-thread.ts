import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ExecutionProvider } from '../model-session.ts';
import {
  memoryOf,
  type OpenedSession,
  type PassedTensor,
  type PassedTensors,
  type ThreadReply,
  type ThreadRequest,
  type ThreadRun,
} from './inference-thread-messages.ts';
import type { Feeds, Fetches, OrtSession, OrtTensor, SessionOpener } from './ort.ts';

/** Memory that a thread has for inputs to come, at most. */
const MAX_KEPT_BYTES = 16 * 2 ** 20;

interface Waiting {
  resolve(value: OpenedSession | ThreadRun | undefined): void;
  reject(error: Error): void;
}

/**
 * A thread that has ONNX Runtime sessions of its own, so that the caller's goes on meanwhile. It is never terminated, since that
 * aborts the process where a run is under way; `end` is for when no session is open any more.
 */
export class InferenceThread implements SessionOpener {
  readonly #worker: Worker;
  /** In the order in which the thread answers. */
  readonly #waiting: Waiting[] = [];
  #lastSession = 0;
  /** Of inputs, the smallest first. */
  #kept: ArrayBuffer[] = [];

  constructor() {
    this.#worker = startWorker(new URL(`inference-thread-program${extname(import.meta.url)}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on('message', (reply: ThreadReply) => {
      const waiting = this.#waiting.shift();
      if (this.#waiting.length === 0) this.#worker.unref();
      if ('error' in reply) waiting?.reject(new Error(reply.error));
      else waiting?.resolve(reply.value);
    });
    // Nobody listens for 'error', such as no memory for its heap: as any fault that nobody catches it ends the process.
  }

  async createSession(path: string, provider: ExecutionProvider, intraOpThreads: number): Promise<OrtSession> {
    const session = ++this.#lastSession;
    const opened = await this.#ask({ kind: 'open', session, path, provider, intraOpThreads });
    return new ThreadSession(opened as OpenedSession, {
      run: (feeds) => this.#run(session, feeds),
      release: async () => void (await this.#ask({ kind: 'release', session })),
    });
  }

  end(): void {
    this.#kept = [];
    this.#worker.postMessage({ kind: 'end' } satisfies ThreadRequest);
  }

  async #run(session: number, feeds: Feeds): Promise<ThreadRun> {
    const entries = Object.entries(feeds).map(([name, tensor]) => [name, this.#pass(tensor)] as const);
    const passed: PassedTensors = Object.fromEntries(entries);
    const run = (await this.#ask({ kind: 'run', session, feeds: passed }, memoryOf(passed))) as ThreadRun;
    this.#keep(memoryOf(run.feeds));
    return run;
  }

  /** A copy: others may still read what the caller gave. */
  #pass({ type, dims, data }: OrtTensor): PassedTensor {
    if (Array.isArray(data)) return { type, dims, data };
    const at = this.#kept.findIndex(({ byteLength }) => byteLength >= data.byteLength);
    const memory = (at < 0 ? undefined : this.#kept.splice(at, 1)[0]) ?? new ArrayBuffer(data.byteLength);
    new Uint8Array(memory).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const View = data.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => OrtTensor['data'];
    return { type, dims, data: new View(memory, 0, data.length) };
  }

  #keep(memory: readonly ArrayBuffer[]): void {
    this.#kept = [...this.#kept, ...memory].toSorted((a, b) => a.byteLength - b.byteLength);
    // Sizes change over time: start anew rather than keep those that nobody asks for.
    if (this.#kept.reduce((sum, { byteLength }) => sum + byteLength, 0) > MAX_KEPT_BYTES) this.#kept = [];
  }

  #ask(request: ThreadRequest, memory: ArrayBuffer[] = []): Promise<OpenedSession | ThreadRun | undefined> {
    return new Promise((resolve, reject) => {
      this.#worker.postMessage(request, memory);
      if (this.#waiting.push({ resolve, reject }) === 1) this.#worker.ref();
    });
  }
}

/** @param program a `.ts` one (running from source) is loaded through tsx, which Node 20 cannot do for a worker by itself */
function startWorker(program: URL): Worker {
  if (!program.pathname.endsWith('.ts')) return new Worker(program);
  const script = `import('${import.meta.resolve('tsx/esm/api')}').then(({ register }) => { register(); return import('${program.href}'); })`;
  return new Worker(script, { eval: true, execArgv: [] });
}

interface ThreadCalls {
  run(feeds: Feeds): Promise<ThreadRun>;
  release(): Promise<void>;
}

class ThreadSession implements OrtSession {
  readonly inputMetadata: OrtSession['inputMetadata'];
  readonly outputMetadata: OrtSession['outputMetadata'];
  readonly #calls: ThreadCalls;
  #lastRunMs = 0;

  constructor({ inputMetadata, outputMetadata }: OpenedSession, calls: ThreadCalls) {
    this.inputMetadata = inputMetadata;
    this.outputMetadata = outputMetadata;
    this.#calls = calls;
  }

  get lastRunMs(): number {
    return this.#lastRunMs;
  }

  async run(feeds: Feeds): Promise<Fetches> {
    const { fetches, ms } = await this.#calls.run(feeds);
    this.#lastRunMs = ms;
    return fetches as Fetches;
  }

  release(): Promise<void> {
    return this.#calls.release();
  }
}
