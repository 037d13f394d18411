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

/** Inputs that are larger are copied into new memory for each run. */
const MAX_KEPT_BYTES = 16 * 2 ** 20;

interface Waiting {
  resolve(value: OpenedSession | ThreadRun | undefined): void;
  reject(error: Error): void;
}

/**
 * A thread that has ONNX Runtime sessions of its own, so that the caller's goes on meanwhile. It lives while a session is open;
 * it is never terminated, since that aborts the process where a run is under way.
 */
export class InferenceThread implements SessionOpener {
  #worker: Worker | undefined;
  /** In the order in which the thread answers. */
  readonly #waiting: Waiting[] = [];
  readonly #open = new Set<number>();
  #lastSession = 0;

  async createSession(path: string, provider: ExecutionProvider, intraOpThreads: number): Promise<OrtSession> {
    const session = ++this.#lastSession;
    this.#open.add(session);
    try {
      const opened = await this.#ask({ kind: 'open', session, path, provider, intraOpThreads });
      return new ThreadSession(opened as OpenedSession, {
        run: async (feeds) => (await this.#ask({ kind: 'run', session, feeds }, memoryOf(feeds))) as ThreadRun,
        release: () => this.#release(session),
      });
    } catch (error) {
      this.#closed(session);
      throw error;
    }
  }

  async #release(session: number): Promise<void> {
    if (!this.#open.has(session)) throw new Error('the session was released');
    try {
      await this.#ask({ kind: 'release', session });
    } finally {
      this.#closed(session);
    }
  }

  #closed(session: number): void {
    this.#open.delete(session);
    if (this.#open.size > 0) return;
    this.#worker?.postMessage({ kind: 'end' } satisfies ThreadRequest);
    this.#worker = undefined;
  }

  #ask(request: ThreadRequest, memory: ArrayBuffer[] = []): Promise<OpenedSession | ThreadRun | undefined> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve, reject) => {
      worker.postMessage(request, memory);
      if (this.#waiting.push({ resolve, reject }) === 1) worker.ref();
    });
  }

  #start(): Worker {
    const worker = startWorker(new URL(`inference-thread-program${extname(import.meta.url)}`, import.meta.url));
    worker.on('message', (reply: ThreadReply) => {
      const waiting = this.#waiting.shift();
      if (this.#waiting.length === 0) worker.unref();
      if ('error' in reply) waiting?.reject(new Error(reply.error));
      else waiting?.resolve(reply.value);
    });
    // Nobody listens for 'error', such as no memory for its heap: as any fault that nobody catches it ends the process.
    return worker;
  }
}

/** @param program a `.ts` one (running from source) is loaded through tsx, which Node 20 cannot do for a worker by itself */
function startWorker(program: URL): Worker {
  if (!program.pathname.endsWith('.ts')) return new Worker(program);
  const script = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(program.href)}); })`;
  return new Worker(script, { eval: true, execArgv: [] });
}

/** A session of an `InferenceThread`. Runs one at a time, as all of them. */
class ThreadSession implements OrtSession {
  readonly inputMetadata: OrtSession['inputMetadata'];
  readonly outputMetadata: OrtSession['outputMetadata'];
  readonly #thread: { run(feeds: PassedTensors): Promise<ThreadRun>; release(): Promise<void> };
  /** Of the inputs of the last run, by name. */
  #memory = new Map<string, ArrayBuffer>();

  constructor(
    opened: OpenedSession,
    thread: { run(feeds: PassedTensors): Promise<ThreadRun>; release(): Promise<void> },
  ) {
    this.inputMetadata = opened.inputMetadata;
    this.outputMetadata = opened.outputMetadata;
    this.#thread = thread;
  }

  async run(feeds: Feeds): Promise<Fetches> {
    const memory = this.#memory;
    this.#memory = new Map();
    const passed = Object.entries(feeds).map(([name, tensor]) => [name, pass(tensor, memory.get(name))] as const);
    const { fetches, feeds: back } = await this.#thread.run(Object.fromEntries(passed));
    for (const [name, { data }] of Object.entries(back)) {
      const isKept = !Array.isArray(data) && data.buffer.byteLength <= MAX_KEPT_BYTES;
      if (isKept) this.#memory.set(name, data.buffer as ArrayBuffer);
    }
    return fetches as Fetches;
  }

  release(): Promise<void> {
    return this.#thread.release();
  }
}

/** A copy: others may still read what the caller gave. */
function pass({ type, dims, data }: OrtTensor, kept: ArrayBuffer | undefined): PassedTensor {
  if (Array.isArray(data)) return { type, dims, data };
  const memory = kept !== undefined && kept.byteLength >= data.byteLength ? kept : new ArrayBuffer(data.byteLength);
  new Uint8Array(memory).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const View = data.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => OrtTensor['data'];
  return { type, dims, data: new View(memory, 0, data.length) };
}
