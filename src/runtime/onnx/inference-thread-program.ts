/** The program of an inference thread: it opens, runs and releases sessions for `InferenceThread`, one after another. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../base/errors.ts';
import {
  memoryOf,
  type OpenedSession,
  type PassedTensors,
  type ThreadReply,
  type ThreadRequest,
  type ThreadRun,
} from './inference-thread-messages.ts';
import { importOrt, type Fetches, type Feeds, type Ort, type OrtSession } from './ort.ts';

const sessions = new Map<number, OrtSession>();
let ort: Ort | undefined;

async function work(request: Exclude<ThreadRequest, { kind: 'end' }>): Promise<OpenedSession | ThreadRun | undefined> {
  ort ??= await importOrt();
  if (request.kind === 'open') {
    const { session, path, provider, intraOpThreads } = request;
    const opened = await ort.createSession(path, provider, intraOpThreads);
    sessions.set(session, opened);
    return { inputMetadata: opened.inputMetadata, outputMetadata: opened.outputMetadata };
  }
  const session = sessions.get(request.session);
  if (session === undefined) throw new Error('the session was released');
  if (request.kind === 'run') return run(ort, session, request.feeds);
  sessions.delete(request.session);
  await session.release();
  return undefined;
}

async function run({ Tensor }: Ort, session: OrtSession, passed: PassedTensors): Promise<ThreadRun> {
  const feeds: Feeds = {};
  for (const [name, { type, data, dims }] of Object.entries(passed)) {
    feeds[name] = new Tensor(type, data as Uint8Array, dims);
  }
  const started = performance.now();
  const fetches = await session.run(feeds);
  return { ms: performance.now() - started, fetches: toPassed(fetches), feeds: passed };
}

function toPassed(fetches: Fetches): PassedTensors {
  const entries = Object.entries(fetches).map(([name, { type, dims, data }]) => [name, { type, dims, data }] as const);
  return Object.fromEntries(entries);
}

function reply(message: ThreadReply, memory: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, memory);
}

async function answer(request: ThreadRequest): Promise<void> {
  if (request.kind === 'end') return parentPort?.close();
  try {
    const value = await work(request);
    reply({ value }, value !== undefined && 'fetches' in value ? memoryOf(value.fetches, value.feeds) : []);
  } catch (error) {
    reply({ error: messageOf(error) });
  }
}

let last = Promise.resolve();
parentPort?.on('message', (request: ThreadRequest) => {
  last = last.then(() => answer(request));
});
