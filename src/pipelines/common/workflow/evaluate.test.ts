import { describe, expect, test } from 'vitest';
import type { Prediction } from '../../../media/sinks/results/result-record.ts';
import { evaluate } from './evaluate.ts';
import { operations } from './operations.ts';
import { Detection, Detections, WorkflowImage } from './values.ts';

const PLACE = { parentId: 'image.[0]', left: 0, top: 0 };

const found = (name: string, confidence: number, x: number, y = 50, width = 20, height = 10): Prediction => ({
  x,
  y,
  width,
  height,
  confidence,
  class: name,
  class_id: name.length,
  detection_id: `${name}-${x}`,
});

const DETECTIONS = new Detections(
  [found('cat', 0.9, 80), found('dog', 0.5, 20), found('cat', 0.3, 50, 51, 7, 5)],
  { width: 320, height: 240 },
  PLACE,
);

/** As it comes from a client: parsed first. */
const run = (value: unknown, given: object[], parameters: Record<string, unknown> = {}): unknown =>
  evaluate(operations.parse(given), value, parameters);

const filter = (statements: object[], operator?: string): object => ({
  type: 'DetectionsFilter',
  filter_operation: { type: 'StatementGroup', statements, ...(operator !== undefined && { operator }) },
});
const property = (property_name: string): object => ({
  type: 'DynamicOperand',
  operations: [{ type: 'ExtractDetectionProperty', property_name }],
});
const is = (left: object, comparator: string, right: unknown, negate = false): object => ({
  type: 'BinaryStatement',
  left_operand: left,
  comparator: { type: comparator },
  right_operand: { type: 'StaticOperand', value: right },
  negate,
});

const kept = (statements: object[], operator?: string, parameters: Record<string, unknown> = {}): string[] => {
  const left = run(DETECTIONS, [filter(statements, operator)], parameters) as Detections;
  return left.predictions.map(({ detection_id }) => detection_id);
};

describe('a filter of detections', () => {
  test.each([
    ['(Number) >=', 'confidence', 0.5, ['cat-80', 'dog-20']],
    ['(Number) >', 'confidence', 0.5, ['cat-80']],
    ['(Number) <', 'confidence', 0.5, ['cat-50']],
    ['(Number) <=', 'x_max', 53.5, ['dog-20', 'cat-50']],
    ['==', 'class_name', 'dog', ['dog-20']],
    ['!=', 'class_name', 'dog', ['cat-80', 'cat-50']],
    ['(Number) ==', 'class_id', 3, ['cat-80', 'dog-20', 'cat-50']],
    ['in (Sequence)', 'class_name', ['cat', 'bird'], ['cat-80', 'cat-50']],
    ['(String) startsWith', 'class_name', 'd', ['dog-20']],
    ['(String) endsWith', 'class_name', 't', ['cat-80', 'cat-50']],
    ['(String) contains', 'class_name', 'o', ['dog-20']],
    ['any in (Sequence)', 'center', [20, 1], ['dog-20']],
    ['all in (Sequence)', 'center', [20, 50, 80], ['cat-80', 'dog-20']],
    ['(Number) >=', 'size', 200, ['cat-80', 'dog-20']],
  ])('%s of %s and %j', (comparator, name, right, ids) => {
    expect(kept([is(property(name), comparator, right)])).toEqual(ids);
    const others = DETECTIONS.predictions.map(({ detection_id }) => detection_id).filter((id) => !ids.includes(id));
    expect(kept([is(property(name), comparator, right, true)])).toEqual(others);
  });

  test('statements are joined by or, where nothing else is said', () => {
    const statements = [is(property('class_name'), '==', 'dog'), is(property('confidence'), '(Number) >', 0.8)];
    expect(kept(statements)).toEqual(['cat-80', 'dog-20']);
    expect(kept(statements, 'and')).toEqual([]);
    expect(kept([{ type: 'StatementGroup', statements, operator: 'or' }], 'and')).toEqual(['cat-80', 'dog-20']);
  });

  test('names parameters', () => {
    const statement = {
      type: 'BinaryStatement',
      left_operand: property('class_name'),
      comparator: { type: 'in (Sequence)' },
      right_operand: { type: 'DynamicOperand', operand_name: 'classes' },
    };
    expect(kept([statement], 'and', { classes: ['dog'] })).toEqual(['dog-20']);
    expect(() => kept([statement])).toThrow('undefined symbol `classes`');
  });

  test('statements of one operand', () => {
    const operand = { type: 'DynamicOperand', operand_name: 'value' };
    const unary = (operator: string): object => ({ type: 'UnaryStatement', operand, operator: { type: operator } });
    expect(kept([unary('Exists')], 'and', { value: null })).toEqual([]);
    expect(kept([unary('DoesNotExist')], 'and', { value: null })).toHaveLength(3);
    expect(kept([unary('(Boolean) is True')], 'and', { value: true })).toHaveLength(3);
    expect(kept([unary('(Boolean) is False')], 'and', { value: true })).toEqual([]);
    expect(kept([unary('(Sequence) is empty')], 'and', { value: [] })).toHaveLength(3);
    expect(kept([unary('(Sequence) is not empty')], 'and', { value: '' })).toEqual([]);
  });
});

test.each([
  [[{ type: 'SequenceLength' }], 3],
  [[{ type: 'DetectionsPropertyExtract', property_name: 'class_name' }], ['cat', 'dog', 'cat']],
  // Whole pixels, halves to the even one.
  [
    [{ type: 'DetectionsPropertyExtract', property_name: 'top_left' }],
    [
      [70, 45],
      [10, 45],
      [46, 48],
    ],
  ],
  [
    [{ type: 'DetectionsPropertyExtract', property_name: 'class_name' }, { type: 'SequenceElementsCount' }],
    { cat: 2, dog: 1 },
  ],
  [
    [
      { type: 'DetectionsPropertyExtract', property_name: 'confidence' },
      { type: 'NumericSequenceAggregate', function: 'max' },
      { type: 'Multiply', other: 100 },
      { type: 'NumberRound', decimal_digits: 1 },
      { type: 'ToString' },
    ],
    '90',
  ],
  [
    [
      { type: 'DetectionsPropertyExtract', property_name: 'class_name' },
      { type: 'SequenceApply', operations: [{ type: 'StringToUpperCase' }] },
      { type: 'SequenceAggregate', mode: 'most_common' },
    ],
    'CAT',
  ],
  [
    [
      { type: 'SortDetections', mode: 'center_x' },
      { type: 'DetectionsPropertyExtract', property_name: 'x_min' },
    ],
    [10, 46.5, 70],
  ],
  [
    [
      { type: 'SortDetections', mode: 'confidence', ascending: false },
      { type: 'DetectionsSelection', mode: 'last' },
      { type: 'DetectionsPropertyExtract', property_name: 'confidence' },
    ],
    [0.3],
  ],
  [
    [
      { type: 'DetectionsSelection', mode: 'left_most' },
      { type: 'DetectionsOffset', offset_x: 10, offset_y: 4 },
      { type: 'DetectionsShift', shift_x: 1, shift_y: -1 },
      { type: 'DetectionsPropertyExtract', property_name: 'bottom_right' },
    ],
    [[36, 56]],
  ],
  [
    [
      { type: 'DetectionsPropertyExtract', property_name: 'class_name' },
      { type: 'SequenceMap', lookup_table: { cat: 1, dog: 2 } },
    ],
    [1, 2, 1],
  ],
])('%j of detections', (given, expected) => {
  expect(run(DETECTIONS, given)).toEqual(expected);
});

test('of a picture, and of one detection', () => {
  const image = new WorkflowImage({ width: 320, height: 240, format: 'rgb24', data: new Uint8Array(0) }, PLACE);
  const of = (property_name: string) => run(image, [{ type: 'ExtractImageProperty', property_name }]);
  expect(['width', 'height', 'size', 'aspect_ratio'].map(of)).toEqual([320, 240, 76_800, 320 / 240]);
  const [first] = DETECTIONS.predictions;
  expect(
    run(new Detection(first as Prediction), [{ type: 'ExtractDetectionProperty', property_name: 'center' }]),
  ).toEqual([80, 50]);
});

test.each([
  ['x', [{ type: 'SequenceLength' }, { type: 'StringToLowerCase' }], 'StringToLowerCase: 1 given, a text expected'],
  [5, [{ type: 'SequenceLength' }], 'SequenceLength: 5 given, a sequence expected'],
  [[], [{ type: 'SequenceAggregate', mode: 'first' }], 'a sequence that is not empty expected'],
  ['bird', [{ type: 'LookupTable', lookup_table: { cat: 1 } }], 'LookupTable: "bird" given, one of cat expected'],
  ['x', [{ type: 'DetectionsSelection', mode: 'first' }], 'DetectionsSelection: "x" given, detections expected'],
  [DETECTIONS, [{ type: 'ToBoolean' }, { type: 'Divide', other: 2 }], 'Divide: true given, a number expected'],
  [1, [{ type: 'Divide', other: 0 }], 'a divisor that is not 0 expected'],
])('%j cannot be taken by %j', (value, given, message) => {
  expect(() => run(value, given)).toThrow(message);
});

describe('classes get other names', () => {
  const rename = (more: object, parameters = {}): [string, number][] => {
    const given = [{ type: 'DetectionsRename', ...more }];
    return (run(DETECTIONS, given, parameters) as Detections).predictions.map((each) => [each.class, each.class_id]);
  };

  test('all of them: their ids are the places of the new names', () => {
    const class_map = { dog: 'animal', cat: 'pet', cow: 'beast' };
    expect(rename({ class_map })).toEqual([
      ['pet', 2],
      ['animal', 0],
      ['pet', 2],
    ]);
    expect(() => rename({ class_map: { dog: 'animal' } })).toThrow('strict class_map (dog) expected');
  });

  test('some: others keep their ids, new names have ids of their own', () => {
    const class_map = { cat: 'tiger' };
    expect(rename({ class_map, strict: false })).toEqual([
      ['tiger', 1024],
      ['dog', 3],
      ['tiger', 1024],
    ]);
    expect(rename({ class_map: { dog: 'cat' }, strict: false, new_classes_id_offset: 7 })).toEqual([
      ['cat', 3],
      ['cat', 3],
      ['cat', 3],
    ]);
  });

  test('by parameters', () => {
    const given = { class_map: 'names', strict: 'all' };
    expect(rename(given, { names: { cat: 'a', dog: 'b' }, all: true }).map(([name]) => name)).toEqual(['a', 'b', 'a']);
    expect(() => rename(given, { names: 5, all: true })).toThrow('5 given, names by names expected');
    expect(() => rename(given, { all: true })).toThrow('undefined symbol `names`');
  });
});

test.each([
  ['int', '42', 42],
  ['int', ' -7 ', -7],
  ['int', 3.9, 3],
  ['int', true, 1],
  ['float', '2.5e1', 25],
  ['float', false, 0],
])('a number: %s of %j', (cast_to, value, read) => {
  expect(run(value, [{ type: 'ToNumber', cast_to }])).toBe(read);
});

test.each([
  ['int', '3.7', 'a whole number expected'],
  ['int', 'x', 'a whole number expected'],
  ['float', '0x10', 'a number expected'],
  ['float', [1], 'a number expected'],
])('no number: %s of %j', (cast_to, value, expected) => {
  expect(() => run(value, [{ type: 'ToNumber', cast_to }])).toThrow(expected);
});

test('a part of a text, and a number by chance', () => {
  expect(run('abcdef', [{ type: 'StringSubSequence' }])).toBe('abcde');
  expect(run('abcdef', [{ type: 'StringSubSequence', start: 1, end: 3 }])).toBe('bc');
  for (let i = 0; i < 20; i++) {
    const given = run(null, [{ type: 'RandomNumber', min_value: 2, max_value: 3 }]) as number;
    expect(given >= 2 && given < 3).toBe(true);
  }
});
