/** What a video source of a pipeline is doing (sheet §3). */
export const SOURCE_STATES = [
  'NOT_STARTED',
  'INITIALISING',
  'RESTARTING',
  'RUNNING',
  'PAUSED',
  'MUTED',
  'TERMINATING',
  'ENDED',
  'ERROR',
] as const;

export type SourceState = (typeof SOURCE_STATES)[number];

/** What may be asked of it. `mute` lets a live source run and drops its frames; a file is held in either case. */
export const OPERATIONS = ['pause', 'mute', 'resume', 'terminate'] as const;

export type Operation = (typeof OPERATIONS)[number];

export type OperationAnswer =
  | { readonly answer: 'done'; readonly next: SourceState }
  /** It is so already: an error for Roboflow's clients, a success for ours. */
  | { readonly answer: 'already' }
  | { readonly answer: 'refused' };

const refused: OperationAnswer = { answer: 'refused' };
const already: OperationAnswer = { answer: 'already' };
const to = (next: SourceState): OperationAnswer => ({ answer: 'done', next });

/** Every operation in every state. Terminating is allowed in all of them, which Roboflow's is not (issue 685 there). */
export const OPERATION_TABLE: Readonly<Record<Operation, Readonly<Record<SourceState, OperationAnswer>>>> = {
  pause: {
    NOT_STARTED: refused,
    INITIALISING: refused,
    RESTARTING: refused,
    RUNNING: to('PAUSED'),
    PAUSED: already,
    MUTED: already,
    TERMINATING: refused,
    ENDED: refused,
    ERROR: refused,
  },
  mute: {
    NOT_STARTED: refused,
    INITIALISING: refused,
    RESTARTING: refused,
    RUNNING: to('MUTED'),
    PAUSED: already,
    MUTED: already,
    TERMINATING: refused,
    ENDED: refused,
    ERROR: refused,
  },
  resume: {
    NOT_STARTED: refused,
    INITIALISING: refused,
    RESTARTING: refused,
    RUNNING: already,
    PAUSED: to('RUNNING'),
    MUTED: to('RUNNING'),
    TERMINATING: refused,
    ENDED: refused,
    ERROR: refused,
  },
  terminate: {
    NOT_STARTED: to('TERMINATING'),
    INITIALISING: to('TERMINATING'),
    RESTARTING: to('TERMINATING'),
    RUNNING: to('TERMINATING'),
    PAUSED: to('TERMINATING'),
    MUTED: to('TERMINATING'),
    TERMINATING: already,
    ENDED: already,
    ERROR: already,
  },
};

/** Which states may follow one another by themselves: what a source's own life allows (sheet §3). */
export const LIFE: Readonly<Record<SourceState, readonly SourceState[]>> = {
  NOT_STARTED: ['INITIALISING', 'TERMINATING'],
  INITIALISING: ['RUNNING', 'ERROR', 'TERMINATING'],
  RESTARTING: ['INITIALISING', 'TERMINATING'],
  RUNNING: ['ENDED', 'ERROR', 'MUTED', 'PAUSED', 'TERMINATING'],
  PAUSED: ['RUNNING', 'ENDED', 'ERROR', 'TERMINATING'],
  MUTED: ['RUNNING', 'ENDED', 'ERROR', 'TERMINATING'],
  TERMINATING: ['ENDED', 'RESTARTING'],
  ENDED: ['RESTARTING', 'TERMINATING'],
  ERROR: ['RESTARTING', 'TERMINATING'],
};

/** The text of Roboflow's StreamOperationNotAllowedError. */
export function notAllowedText(operation: Operation, state: SourceState): string {
  return `Could not ${operation.toUpperCase()} stream in state: StreamState.${state}`;
}

export type JointAnswer =
  | { readonly answer: 'done' | 'already'; readonly sources: readonly number[] }
  | { readonly answer: 'refused'; readonly state: SourceState };

/**
 * One operation on all sources of a pipeline: on every source that is not over, or on none. (Roboflow's stops at the first
 * that refuses and leaves those before it changed.)
 */
export function operateOnAll(operation: Operation, states: readonly SourceState[]): JointAnswer {
  const table = OPERATION_TABLE[operation];
  const isOver = (state: SourceState): boolean => state === 'ENDED' || state === 'ERROR';
  const alive = states.filter((state) => !isOver(state));
  const asked = alive.length === 0 ? states : alive;
  const refusing = asked.find((state) => table[state].answer === 'refused');
  if (refusing !== undefined) return { answer: 'refused', state: refusing };
  const changed = states.flatMap((state, i) => (asked.includes(state) && table[state].answer === 'done' ? [i] : []));
  return { answer: changed.length === 0 ? 'already' : 'done', sources: changed };
}
