import type { DynamicBatching, QueuePolicy, SequenceBatching, SequenceControl } from '../../model-scheduling.ts';
import type { ModelConfig } from './model-config.ts';
import { toDatatype } from './tensors.ts';

type Configured<Name extends keyof ModelConfig> = NonNullable<ModelConfig[Name]>;
type Policy = NonNullable<Configured<'dynamic_batching'>['default_queue_policy']>;

export function toDynamicBatching({ dynamic_batching: given }: ModelConfig): DynamicBatching | undefined {
  return (
    given && {
      preferredSizes: given.preferred_batch_size.toSorted((a, b) => a - b),
      maxQueueDelayUs: given.max_queue_delay_microseconds,
      preservesOrder: given.preserve_ordering,
      priorityLevels: given.priority_levels,
      defaultPriorityLevel: given.default_priority_level,
      queuePolicy: toPolicy(given.default_queue_policy),
      priorityQueuePolicies: Object.fromEntries(
        Object.entries(given.priority_queue_policy).map(([level, policy]) => [level, toPolicy(policy)]),
      ),
    }
  );
}

/** A request's own timeout may only shorten that of the policy: where that has none, Triton looks at none. */
function toPolicy(given: Policy | undefined): QueuePolicy {
  const defaultTimeoutUs = given?.default_timeout_microseconds ?? 0;
  return {
    onTimeout: given?.timeout_action === 'DELAY' ? 'delay' : 'reject',
    defaultTimeoutUs,
    allowsTimeoutOverride: defaultTimeoutUs > 0 && given?.allow_timeout_override === true,
    maxQueueSize: given?.max_queue_size ?? 0,
  };
}

/** Triton's `max_sequence_idle_microseconds` where it is not given. */
const DEFAULT_IDLE_US = 1_000_000;

/** @param resolveFile turns a `data_file` into an absolute path */
export function toSequenceBatching(
  { sequence_batching: given }: ModelConfig,
  resolveFile: (file: string) => string,
): SequenceBatching | undefined {
  if (given === undefined) return undefined;
  return {
    maxIdleUs: given.max_sequence_idle_microseconds || DEFAULT_IDLE_US,
    controls: given.control_input.flatMap(({ name, control }) => control.map((each) => toControl(name, each))),
    strategy: toStrategy(given),
    states: given.state.map((state) => {
      const [initial] = state.initial_state;
      return {
        input: state.input_name,
        output: state.output_name,
        datatype: toDatatype(state.data_type),
        shape: state.dims,
        initial: initial && {
          shape: initial.dims,
          file: initial.data_file === undefined ? undefined : resolveFile(initial.data_file),
        },
      };
    }),
  };
}

function toStrategy({ oldest, direct }: Configured<'sequence_batching'>): SequenceBatching['strategy'] {
  if (oldest === undefined) {
    return {
      kind: 'direct',
      maxQueueDelayUs: direct?.max_queue_delay_microseconds ?? 0,
      minSlotUtilization: direct?.minimum_slot_utilization ?? 0,
    };
  }
  return {
    kind: 'oldest',
    maxCandidateSequences: oldest.max_candidate_sequences,
    preferredSizes: oldest.preferred_batch_size.toSorted((a, b) => a - b),
    maxQueueDelayUs: oldest.max_queue_delay_microseconds,
    preservesOrder: oldest.preserve_ordering,
  };
}

const CONTROLS = {
  CONTROL_SEQUENCE_START: 'start',
  CONTROL_SEQUENCE_READY: 'ready',
  CONTROL_SEQUENCE_END: 'end',
  CONTROL_SEQUENCE_CORRID: 'correlation_id',
} as const;

type Control = Configured<'sequence_batching'>['control_input'][number]['control'][number];

function toControl(input: string, control: Control): SequenceControl {
  const kind = CONTROLS[control.kind];
  if (kind === 'correlation_id') {
    return { input, kind, datatype: toDatatype(control.data_type), falseTrue: undefined };
  }
  const { int32_false_true: int32, fp32_false_true: fp32, bool_false_true: bool } = control;
  if (int32.length > 0) return { input, kind, datatype: 'INT32', falseTrue: pair(int32) };
  if (fp32.length > 0) return { input, kind, datatype: 'FP32', falseTrue: pair(fp32) };
  return { input, kind, datatype: 'BOOL', falseTrue: pair(bool.map(Number)) };
}

const pair = ([no = 0, yes = 1]: readonly number[]): readonly [number, number] => [no, yes];
