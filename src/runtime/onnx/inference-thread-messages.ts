import type { ExecutionProvider } from '../model-session.ts';
import type { OrtSession, OrtTensor } from './ort.ts';

/** A tensor as threads pass it: the memory of `data` goes over to the other one. */
export interface PassedTensor {
  readonly type: OrtTensor.Type;
  readonly dims: readonly number[];
  readonly data: OrtTensor['data'];
}

export type PassedTensors = Readonly<Record<string, PassedTensor>>;

/** To the thread; answered in order. */
export type ThreadRequest =
  | {
      readonly kind: 'open';
      readonly session: number;
      readonly path: string;
      readonly provider: ExecutionProvider;
      readonly intraOpThreads: number;
    }
  | { readonly kind: 'run'; readonly session: number; readonly feeds: PassedTensors }
  | { readonly kind: 'release'; readonly session: number }
  /** No session is open any more: the thread ends. */
  | { readonly kind: 'end' };

export type OpenedSession = Pick<OrtSession, 'inputMetadata' | 'outputMetadata'>;

/** What a run gave, how long it took, and the memory of its inputs for the next one. */
export interface ThreadRun {
  readonly ms: number;
  readonly fetches: PassedTensors;
  readonly feeds: PassedTensors;
}

export type ThreadReply = { readonly value: OpenedSession | ThreadRun | undefined } | { readonly error: string };

/** The memory that a message with these tensors takes along. */
export function memoryOf(...tensors: readonly PassedTensors[]): ArrayBuffer[] {
  const all = tensors.flatMap((each) => Object.values(each));
  const buffers = all.flatMap(({ data }) => (Array.isArray(data) ? [] : [data.buffer as ArrayBuffer]));
  return [...new Set(buffers)];
}
