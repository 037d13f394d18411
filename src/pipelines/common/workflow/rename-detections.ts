import type { Prediction } from '../../../media/sinks/results/result-record.ts';

export interface Renaming {
  /** New names by old ones. */
  readonly names: ReadonlyMap<string, string>;
  /** Every class has a new name. */
  readonly isStrict: boolean;
  /** Where it is not strict: the id of the first new name that was no class so far. */
  readonly firstNewId: number;
}

/**
 * Gives classes other names, and the ids that Roboflow's DetectionsRename gives them: strictly the places of the new names in
 * their order, otherwise those of classes that were there, and further ones from `firstNewId` on.
 * @returns undefined where it is strict and a class has no new name
 */
export function renamed(
  predictions: readonly Prediction[],
  { names, isStrict, firstNewId }: Renaming,
): readonly Prediction[] | undefined {
  if (isStrict && predictions.some((each) => !names.has(each.class))) return undefined;
  const ids = new Map(isStrict ? [] : predictions.map((each) => [each.class, each.class_id]));
  const fresh = [...new Set(names.values())].filter((name) => !ids.has(name)).toSorted();
  for (const [place, name] of fresh.entries()) ids.set(name, (isStrict ? 0 : firstNewId) + place);
  return predictions.map((each) => {
    const name = names.get(each.class) ?? each.class;
    return { ...each, class: name, class_id: ids.get(name) ?? each.class_id };
  });
}
