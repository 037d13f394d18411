import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { ExecutionProvider } from '../model-session.ts';

export type { OrtTensor };
export type Feeds = Record<string, OrtTensor>;
export type Fetches = Readonly<Record<string, OrtTensor>>;

/** All that this backend needs of a session of onnxruntime-node; tests fake it. */
export interface OrtSession {
  readonly inputMetadata: readonly InferenceSession.ValueMetadata[];
  readonly outputMetadata: readonly InferenceSession.ValueMetadata[];
  /** Of the addon itself: runs on the calling thread, whatever the promise suggests. Two at once are of no use. */
  run(feeds: Feeds): Promise<Fetches>;
  /** Where that is not the time until `run` resolves: on another thread, while this one may be busy. */
  readonly lastRunMs?: number;
  /** Frees the native memory; the garbage collector does not. A second call rejects. */
  release(): Promise<void>;
}

/** Where sessions are opened: the addon itself, or a thread that has it. */
export interface SessionOpener {
  createSession(path: string, provider: ExecutionProvider, intraOpThreads: number): Promise<OrtSession>;
}

/** The addon, as far as it is used. */
export interface Ort extends SessionOpener {
  readonly Tensor: typeof OrtTensor;
}

/**
 * Loads the native addon (46 MB); a process that loads no model never calls this.
 *
 * Options of the sessions: no second level of threads; no spinning, which under contention tripled the time of a run; what
 * goes wrong comes as an exception, so the addon itself prints nothing.
 */
export async function importOrt(): Promise<Ort> {
  const { InferenceSession, Tensor, env } = await import('onnxruntime-node');
  env.logLevel = 'fatal';
  return {
    Tensor,
    createSession: (path, provider, intraOpThreads) =>
      InferenceSession.create(path, {
        executionProviders: [provider],
        executionMode: 'sequential',
        intraOpNumThreads: intraOpThreads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      }),
  };
}
