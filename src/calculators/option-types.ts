import type { NodeDefinition } from '../graph/index.ts';

/** Messages that several calculators share, by their names in MediaPipe; the others are called as their calculator. */
const SHARED: readonly (readonly [calculators: RegExp, type: string])[] = [
  [/^Association/, 'AssociationCalculatorOptions'],
  [/^Clip.*VectorSizeCalculator$/, 'ClipVectorSizeCalculatorOptions'],
  [/^Concatenate/, 'ConcatenateVectorCalculatorOptions'],
  [/^Get.*VectorItemCalculator$/, 'GetVectorItemCalculatorOptions'],
  [/HasMinSizeCalculator$/, 'CollectionHasMinSizeCalculatorOptions'],
  [/^(AlignmentPoints|HandDetectionsFromPoseTo)RectsCalculator$/, 'DetectionsToRectsCalculatorOptions'],
  [/^Split/, 'SplitVectorCalculatorOptions'],
  [/^Switch/, 'SwitchContainerOptions'],
];

/** Graph files may use either: who writes one need not know whose calculator it is. */
const PACKAGES = ['mediapipe', 'millrace'] as const;

/** The calculators with the names of the messages that graph files put their options in. */
export function withOptionTypes(definitions: readonly NodeDefinition[]): readonly NodeDefinition[] {
  return definitions.map((definition) => {
    if ('expand' in definition) return definition;
    const shared = SHARED.flatMap(([calculators, type]) => (calculators.test(definition.name) ? [type] : []));
    const names = [...shared, `${definition.name}Options`];
    return { ...definition, optionTypes: PACKAGES.flatMap((name) => names.map((type) => `${name}.${type}`)) };
  });
}
