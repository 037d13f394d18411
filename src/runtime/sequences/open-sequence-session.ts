import { MillraceError } from '../../base/errors.ts';
import { shapeFits, type TensorSpec } from '../../tensor/tensor.ts';
import type { BatchingOptions } from '../batching/batching-options.ts';
import { BatchingSession } from '../batching/batching-session.ts';
import type { BackendSession } from '../model-session.ts';
import { ControlTensors } from './control-tensors.ts';
import { DirectRunner } from './direct-runner.ts';
import { ImplicitState } from './implicit-state.ts';
import { DEFAULT_BACKLOG, type SequenceControl, type SequenceOptions } from './sequence-options.ts';
import { SequenceSession } from './sequence-session.ts';
import { OldestRunner, type SlotRunner } from './slot-runner.ts';

export interface SequenceSessionOptions {
  readonly sequences: SequenceOptions;
  /** Rows of a run; 0: the first dimension of the model's tensors is no batch. */
  readonly maxBatchSize: number;
  /** How `oldest` joins its requests; undefined: as its strategy says. */
  readonly batching?: BatchingOptions | undefined;
  /** Outputs that are state are answered too. */
  readonly showsState: boolean;
}

/**
 * A model whose requests belong to sequences.
 * @param backend owned by the session, where one is returned
 * @throws MillraceError CONFIG_INVALID where the model has not the tensors that its configuration names
 */
export async function openSequenceSession(
  backend: BackendSession,
  { sequences, maxBatchSize, batching, showsState }: SequenceSessionOptions,
): Promise<SequenceSession> {
  const { controls: given, states, strategy } = sequences;
  const { name, version, provider } = backend;
  const hasBatch = maxBatchSize > 0;
  for (const control of given) checkControl(control, backend.inputs, hasBatch);
  const controls = new ControlTensors(name, given, hasBatch);
  const state = await ImplicitState.load(states, backend, hasBatch);
  const idleRow = controls.hasReady ? [...controls.none, ...state.initial] : undefined;
  const runner =
    strategy.kind === 'direct'
      ? new DirectRunner(backend, { ...strategy, maxBatchSize, idleRow })
      : oldest(backend, strategy, maxBatchSize, batching);
  const added = [...given, ...states].map(({ input }) => input);
  const isState = (output: string): boolean => states.some((each) => each.output === output);
  return new SequenceSession({
    name,
    version,
    provider,
    inputs: backend.inputs.filter((input) => !added.includes(input.name)),
    outputs: backend.outputs.filter((output) => showsState || !isState(output.name)),
    hasBatch,
    runner,
    controls,
    state,
    maxIdleMs: sequences.maxIdleUs / 1000,
    maxBacklog: sequences.maxBacklog ?? DEFAULT_BACKLOG,
  });
}

/** The slots of requests that are in sequence already: none of them is refused or gives way to another. */
const NO_POLICY = { onTimeout: 'reject', defaultTimeoutUs: 0, allowsTimeoutOverride: false, maxQueueSize: 0 } as const;

function oldest(
  backend: BackendSession,
  strategy: Extract<SequenceOptions['strategy'], { kind: 'oldest' }>,
  maxBatchSize: number,
  batching: BatchingOptions | undefined,
): SlotRunner {
  const { maxCandidateSequences, preferredSizes, maxQueueDelayUs, preservesOrder } = strategy;
  // As Triton: without a number, there are as many as one batch takes.
  const slots = maxCandidateSequences > 0 ? maxCandidateSequences : Math.max(1, maxBatchSize);
  if (maxBatchSize <= 1) return new OldestRunner(backend, slots);
  const priorities = { priorityLevels: 0, defaultPriorityLevel: 0, priorityQueuePolicies: {}, queuePolicy: NO_POLICY };
  const own = { preferredSizes, maxQueueDelayUs, preservesOrder, ...priorities };
  return new OldestRunner(new BatchingSession(backend, batching ?? own, maxBatchSize), slots);
}

function checkControl(
  { input: name, datatype }: SequenceControl,
  inputs: readonly TensorSpec[],
  hasBatch: boolean,
): void {
  const details = { tensor: name };
  const input = inputs.find((each) => each.name === name);
  if (input === undefined) {
    const known = inputs.map((each) => `"${each.name}"`).join(', ');
    const text = `control input "${name}": the model has no such input; it has ${known}`;
    throw new MillraceError('CONFIG_INVALID', text, { details });
  }
  const shape = hasBatch ? [1, 1] : [1];
  if (input.datatype === datatype && shapeFits(input.shape, shape)) return;
  const text = `control input "${name}": the model's input is ${input.datatype} [${input.shape.join(',')}], ${datatype} [${hasBatch ? '-1,1' : '1'}] expected`;
  throw new MillraceError('CONFIG_INVALID', text, { details });
}
