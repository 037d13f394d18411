import { MillraceError } from '../../base/errors.ts';
import type { EnsembleLoad } from '../host-spec.ts';

/** Steps that run once for each response of the step that they all come after; at the root, once for each request. */
export interface Level {
  /** By their place in the ensemble; those that answer more than once, too. */
  readonly steps: readonly number[];
  /** What comes after each of its steps that answers more than once. */
  readonly after: ReadonlyMap<number, Level>;
  /** The outputs of the ensemble are made here. */
  readonly isAnswer: boolean;
}

/** Before any step. */
const ROOT = -1;

/**
 * What runs how often, where steps may answer more than once.
 * @throws MillraceError CONFIG_INVALID, with Triton's text, where tensors that meet do not come as often as each other
 */
export function planLevels(load: EnsembleLoad, isDecoupled: (step: number) => boolean): Level {
  const { steps, signature, streams } = load;
  const tensor = (name: string): string => streams[name] ?? name;
  /** The last step that answers more than once before a stream. */
  const origins = new Map(signature.inputs.map(({ name }) => [tensor(name), ROOT]));
  const levels = new Map<number, number>();
  for (let left = steps.map((_, i) => i); left.length > 0;) {
    const ready = left.filter((i) => Object.values(steps[i]?.inputs ?? {}).every((stream) => origins.has(stream)));
    if (ready.length === 0) throw new MillraceError('INTERNAL', `ensemble '${load.name}' has a circle: this is a bug`);
    for (const i of ready) {
      const level = meet(load, Object.values(steps[i]?.inputs ?? {}), origins);
      levels.set(i, level);
      for (const stream of Object.values(steps[i]?.outputs ?? {})) origins.set(stream, isDecoupled(i) ? i : level);
    }
    left = left.filter((i) => !ready.includes(i));
  }
  const answer = meet(
    load,
    signature.outputs.map(({ name }) => tensor(name)),
    origins,
  );
  const levelAfter = (origin: number): Level => {
    const own = [...levels].flatMap(([step, level]) => (level === origin ? [step] : [])).toSorted((a, b) => a - b);
    const after = new Map(own.filter(isDecoupled).map((step) => [step, levelAfter(step)]));
    return { steps: own, after, isAnswer: origin === answer };
  };
  return levelAfter(ROOT);
}

/** Triton names the ensemble where one would expect the step's model. */
function meet({ name }: EnsembleLoad, streams: readonly string[], origins: ReadonlyMap<string, number>): number {
  const [first = ROOT, ...others] = new Set(streams.map((stream) => origins.get(stream) ?? ROOT));
  if (others.length === 0) return first;
  throw new MillraceError(
    'CONFIG_INVALID',
    `in ensemble ${name}, step of model '${name}' receives inputs originated from different decoupled models`,
    { details: { servable: name } },
  );
}
