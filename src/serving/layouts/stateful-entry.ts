import { resolve } from 'node:path';
import { MillraceError } from '../../base/errors.ts';
import type { SequenceBatching } from '../model-scheduling.ts';
import type { ModelEntry } from './ovms-schema.ts';

/** OVMS's default of `max_sequence_number`. */
const DEFAULT_SEQUENCES = 500;
const DEFAULT_IDLE_MS = 300_000;

const ONLY_STATEFUL = ['states', 'max_sequence_number', 'idle_sequence_cleanup', 'sequence_idle_timeout_ms'] as const;

/**
 * How requests of a stateful model go together; undefined where it is none. As in OVMS, a sequence beyond the limit does not
 * wait for another one to end.
 * @param folder that files are relative to
 * @throws MillraceError CONFIG_INVALID
 */
export function toSequences(entry: ModelEntry, folder: string): SequenceBatching | undefined {
  if (entry.low_latency_transformation === true) {
    throw invalid(
      'low_latency_transformation: true given, false expected: ONNX files are not transformed; export the file with its state as inputs and outputs, for one step',
    );
  }
  if (entry.stateful !== true) {
    const key = ONLY_STATEFUL.find((each) => entry[each] !== undefined);
    if (key !== undefined) throw invalid(`${key}: only for a stateful model; "stateful": true expected beside it`);
    return undefined;
  }
  if (entry.states === undefined) {
    throw invalid(
      'states: missing; [{"input": …, "output": …}] expected of a stateful model: which output is which input of the next request',
    );
  }
  const { idle_sequence_cleanup: isCleaned = true, sequence_idle_timeout_ms: idleMs = DEFAULT_IDLE_MS } = entry;
  return {
    maxIdleUs: isCleaned ? idleMs * 1000 : 0,
    controls: [],
    strategy: {
      kind: 'oldest',
      maxCandidateSequences: entry.max_sequence_number ?? DEFAULT_SEQUENCES,
      preferredSizes: [],
      maxQueueDelayUs: 0,
      preservesOrder: false,
    },
    states: entry.states.map(({ input, output, initial_file: file }) => ({
      input,
      output,
      initial: file === undefined ? undefined : { shape: undefined, file: resolve(folder, file) },
    })),
    maxBacklog: 0,
  };
}

/** Files that a change in makes another model. */
export function stateFiles(sequences: SequenceBatching | undefined): string[] {
  return (sequences?.states ?? []).flatMap(({ initial }) => (initial?.file === undefined ? [] : [initial.file]));
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
