import { z } from 'zod';
import { didYouMean } from '../../base/nearest.ts';
import type { HandlerConfig, OptionMessage } from '../graph-config.ts';
import { GraphError } from '../graph-error.ts';
import { parseOptions } from '../options.ts';
import { parseTagIndex, type TagEntry } from '../tag-map.ts';
import { BarrierPolicy } from './barrier-policy.ts';
import { BatchPolicy } from './batch-policy.ts';
import { DefaultPolicy } from './default-policy.ts';
import { EarlyClosePolicy } from './early-close-policy.ts';
import { FixedSizePolicy } from './fixed-size-policy.ts';
import { ImmediatePolicy } from './immediate-policy.ts';
import type { InputPolicyFactory } from './input-policy.ts';
import { MuxPolicy } from './mux-policy.ts';
import { SyncSetPolicy } from './sync-set-policy.ts';
import { TimestampAlignPolicy } from './timestamp-align-policy.ts';

const defaultOptions = z.object({
  batchSize: z.int().min(1).max(1000).default(1).describe('Input sets run in one go.'),
});
const fixedSizeOptions = z.object({
  triggerQueueSize: z.int().min(1).default(2).describe('Packets at an input that set off dropping.'),
  targetQueueSize: z.int().min(1).default(1).describe('Packets kept then.'),
  fixedMinSize: z.boolean().default(false).describe('Drop only when every input has reached the trigger.'),
});
const syncSetOptions = z.object({
  syncSet: z.array(z.object({ tagIndex: z.array(z.string()).default([]) })).default([]),
});
const alignOptions = z.object({ timestampBaseTagIndex: z.string().default('') });

type MakeFactory = (
  options: readonly OptionMessage[],
  inputs: readonly TagEntry[],
  processBounds: boolean,
  maxInFlight: number,
) => InputPolicyFactory;

const POLICIES: Readonly<Record<string, MakeFactory>> = {
  DefaultInputStreamHandler(messages, _, processBounds, maxInFlight) {
    const { batchSize } = parseOptions(defaultOptions, messages);
    if (batchSize > 1 && maxInFlight > 1) {
      const given = `max_in_flight ${maxInFlight} and batch_size ${batchSize} given`;
      throw new GraphError('INVALID_ARGUMENT', `${given}, at most one of them above 1 expected`);
    }
    if (batchSize > 1) return (inputs) => new BatchPolicy(inputs, processBounds, batchSize);
    return (inputs) => new DefaultPolicy(inputs, processBounds);
  },
  ImmediateInputStreamHandler: (_, __, processBounds) => (inputs) => new ImmediatePolicy(inputs, processBounds),
  SyncSetInputStreamHandler(messages, entries, processBounds) {
    const groups = syncSets(messages, entries);
    return (inputs) => new SyncSetPolicy(inputs, processBounds, groups);
  },
  FixedSizeInputStreamHandler(messages, _, processBounds) {
    const options = parseOptions(fixedSizeOptions, messages);
    return (inputs) => new FixedSizePolicy(inputs, processBounds, options);
  },
  EarlyCloseInputStreamHandler: (_, __, processBounds) => (inputs) => new EarlyClosePolicy(inputs, processBounds),
  BarrierInputStreamHandler: () => (inputs) => new BarrierPolicy(inputs),
  MuxInputStreamHandler: () => (inputs) => new MuxPolicy(inputs),
  TimestampAlignInputStreamHandler(messages, entries) {
    const at = positionOf(parseOptions(alignOptions, messages).timestampBaseTagIndex, entries);
    return (inputs) => {
      const base = inputs[at];
      if (base === undefined) throw new GraphError('INTERNAL', 'TimestampAlignInputStreamHandler: no base input');
      return new TimestampAlignPolicy(inputs, base);
    };
  },
};

/** As MediaPipe calls them: other handlers have none. */
const OPTION_TYPES: readonly string[] = ['Default', 'FixedSize', 'SyncSet', 'TimestampAlign'].map(
  (name) => `mediapipe.${name}InputStreamHandlerOptions`,
);

/** Checks a policy's name and options and returns what makes it for each run. Throws `INVALID_ARGUMENT`. */
export function createPolicyFactory(
  { handler, options }: HandlerConfig,
  inputs: readonly TagEntry[],
  processBounds: boolean,
  maxInFlight: number,
): InputPolicyFactory {
  const name = handler || 'DefaultInputStreamHandler';
  for (const { type } of options) {
    if (type === '' || OPTION_TYPES.includes(type)) continue;
    const own = `mediapipe.${name}Options`;
    const remedy = didYouMean(type, OPTION_TYPES) || (OPTION_TYPES.includes(own) ? `; "${own}" expected` : '');
    throw new GraphError('INVALID_ARGUMENT', `no input stream handler has options of type "${type}"${remedy}`);
  }
  const make = Object.hasOwn(POLICIES, name) ? POLICIES[name] : undefined;
  if (make === undefined) {
    const suggestion = didYouMean(name, Object.keys(POLICIES));
    throw new GraphError('INVALID_ARGUMENT', `no input stream handler is named "${name}"${suggestion}`);
  }
  return make(options, inputs, processBounds, maxInFlight);
}

/**
 * Whether a node may run for an input while others have nothing: by its policy, the input waits for none of them.
 * @throws GraphError INVALID_ARGUMENT for options that are wrong
 */
export function waitsForNoOther(
  { handler, options }: HandlerConfig,
  inputs: readonly TagEntry[],
  input: TagEntry,
): boolean {
  if (inputs.length === 1 || handler === 'ImmediateInputStreamHandler') return true;
  if (handler !== 'SyncSetInputStreamHandler') return false;
  const at = inputs.indexOf(input);
  return syncSets(options, inputs).some((set) => set.length === 1 && set[0] === at);
}

/** Positions of inputs, each in one set; what the options leave out is a set too. */
function syncSets(messages: readonly OptionMessage[], entries: readonly TagEntry[]): number[][] {
  const groups = parseOptions(syncSetOptions, messages).syncSet.map((set) =>
    set.tagIndex.map((text) => positionOf(text, entries)),
  );
  const listed = groups.flat();
  if (new Set(listed).size < listed.length) {
    throw new GraphError('INVALID_ARGUMENT', 'SyncSetInputStreamHandler: an input is in two sync sets');
  }
  const rest = entries.map((_, at) => at).filter((at) => !listed.includes(at));
  return rest.length > 0 ? [...groups, rest] : groups;
}

function positionOf(tagIndex: string, entries: readonly TagEntry[]): number {
  const parsed = parseTagIndex(tagIndex);
  const at = entries.findIndex(({ tag, index }) => tag === parsed?.tag && index === parsed.index);
  if (at < 0)
    throw new GraphError('INVALID_ARGUMENT', `an input stream handler names no input: tag_index "${tagIndex}"`);
  return at;
}
