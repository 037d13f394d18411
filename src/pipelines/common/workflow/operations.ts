import { z } from 'zod';

/** Roboflow's query language of workflows: the operations and statements of it that are understood here. */

export const DETECTION_PROPERTIES = [
  'confidence',
  'class_name',
  'class_id',
  'x_min',
  'x_max',
  'y_min',
  'y_max',
  'size',
  'center',
  'top_left',
  'top_right',
  'bottom_left',
  'bottom_right',
] as const;
export type DetectionProperty = (typeof DETECTION_PROPERTIES)[number];

const SORT_MODES = ['confidence', 'x_min', 'x_max', 'y_min', 'y_max', 'size', 'center_x', 'center_y'] as const;
export type SortMode = (typeof SORT_MODES)[number];

const property = z.enum(DETECTION_PROPERTIES);
const table = z.record(z.string(), z.unknown());

const simple = [
  z.object({ type: z.literal('StringToLowerCase') }),
  z.object({ type: z.literal('StringToUpperCase') }),
  z.object({ type: z.literal('StringSubSequence'), start: z.int().default(0), end: z.int().default(-1) }),
  z.object({ type: z.literal('ToString') }),
  z.object({ type: z.literal('ToNumber'), cast_to: z.enum(['int', 'float']) }),
  z.object({
    type: z.literal('RandomNumber'),
    min_value: z.number().default(0),
    max_value: z.number().default(1),
  }),
  z.object({ type: z.literal('ToBoolean') }),
  z.object({ type: z.literal('LookupTable'), lookup_table: table }),
  z.object({ type: z.literal('SequenceMap'), lookup_table: table }),
  z.object({ type: z.literal('NumberRound'), decimal_digits: z.int().min(0).max(15) }),
  z.object({ type: z.literal('Multiply'), other: z.number() }),
  z.object({ type: z.literal('Divide'), other: z.number() }),
  z.object({ type: z.literal('SequenceLength') }),
  z.object({ type: z.literal('SequenceElementsCount') }),
  z.object({
    type: z.literal('NumericSequenceAggregate'),
    function: z.enum(['min', 'max']),
    neutral_value: z.unknown().default(null),
  }),
  z.object({
    type: z.literal('SequenceAggregate'),
    mode: z.enum(['first', 'last', 'most_common', 'least_common']),
  }),
  z.object({ type: z.literal('DetectionsPropertyExtract'), property_name: property }),
  z.object({ type: z.literal('ExtractDetectionProperty'), property_name: property }),
  z.object({
    type: z.literal('DetectionsSelection'),
    mode: z.enum(['left_most', 'right_most', 'top_confidence', 'first', 'last']),
  }),
  z.object({ type: z.literal('SortDetections'), mode: z.enum(SORT_MODES), ascending: z.boolean().default(true) }),
  z.object({ type: z.literal('DetectionsOffset'), offset_x: z.int(), offset_y: z.int() }),
  z.object({ type: z.literal('DetectionsShift'), shift_x: z.int(), shift_y: z.int() }),
  z.object({
    type: z.literal('DetectionsRename'),
    /** Names by names, or the parameter that has them. */
    class_map: z.union([z.record(z.string(), z.string()), z.string()]),
    strict: z.union([z.boolean(), z.string()]).default(true),
    new_classes_id_offset: z.int().default(1024),
  }),
  z.object({ type: z.literal('DetectionsToDictionary') }),
  z.object({
    type: z.literal('ExtractImageProperty'),
    property_name: z.enum(['size', 'height', 'width', 'aspect_ratio']),
  }),
] as const;

type SimpleOperation = z.output<(typeof simple)[number]>;

export type Operation =
  | SimpleOperation
  | { readonly type: 'SequenceApply'; readonly operations: readonly Operation[] }
  | { readonly type: 'DetectionsFilter'; readonly filter_operation: StatementGroup };

const COMPARATORS = [
  '==',
  '(Number) ==',
  '!=',
  '(Number) !=',
  '(Number) >',
  '(Number) >=',
  '(Number) <',
  '(Number) <=',
  '(String) startsWith',
  '(String) endsWith',
  '(String) contains',
  'in (Sequence)',
  'any in (Sequence)',
  'all in (Sequence)',
] as const;
export type Comparator = (typeof COMPARATORS)[number];

const UNARY_OPERATORS = [
  'Exists',
  'DoesNotExist',
  '(Boolean) is True',
  '(Boolean) is False',
  '(Sequence) is empty',
  '(Sequence) is not empty',
] as const;
export type UnaryOperator = (typeof UNARY_OPERATORS)[number];

export type Operand =
  | { readonly type: 'StaticOperand'; readonly value?: unknown; readonly operations: readonly Operation[] }
  | { readonly type: 'DynamicOperand'; readonly operand_name: string; readonly operations: readonly Operation[] };

export interface BinaryStatement {
  readonly type: 'BinaryStatement';
  readonly left_operand: Operand;
  readonly comparator: { readonly type: Comparator };
  readonly right_operand: Operand;
  readonly negate: boolean;
}

export interface UnaryStatement {
  readonly type: 'UnaryStatement';
  readonly operand: Operand;
  readonly operator: { readonly type: UnaryOperator };
  readonly negate: boolean;
}

export interface StatementGroup {
  readonly type: 'StatementGroup';
  readonly statements: readonly (BinaryStatement | UnaryStatement | StatementGroup)[];
  readonly operator: 'and' | 'or';
}

/** The operand of a filter is the detection itself. */
export const DETECTION_OPERAND = '_';

const operand: z.ZodType<Operand> = z.lazy(() =>
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('StaticOperand'), value: z.unknown(), operations: operations.default([]) }),
    z.object({
      type: z.literal('DynamicOperand'),
      operand_name: z.string().default(DETECTION_OPERAND),
      operations: operations.default([]),
    }),
  ]),
);

const binary: z.ZodType<BinaryStatement> = z.object({
  type: z.literal('BinaryStatement'),
  left_operand: operand,
  comparator: z.object({ type: z.enum(COMPARATORS) }),
  right_operand: operand,
  negate: z.boolean().default(false),
});

const unary: z.ZodType<UnaryStatement> = z.object({
  type: z.literal('UnaryStatement'),
  operand,
  operator: z.object({ type: z.enum(UNARY_OPERATORS) }),
  negate: z.boolean().default(false),
});

const statementGroup: z.ZodType<StatementGroup> = z.lazy(() =>
  z.object({
    type: z.literal('StatementGroup'),
    statements: z.array(z.union([binary, unary, statementGroup])).min(1),
    operator: z.enum(['and', 'or']).default('or'),
  }),
);

const operation: z.ZodType<Operation> = z.lazy(() =>
  z.discriminatedUnion('type', [
    ...simple,
    z.object({ type: z.literal('SequenceApply'), operations }),
    z.object({ type: z.literal('DetectionsFilter'), filter_operation: statementGroup }),
  ]),
);

/** A chain: what one gives the next one takes. */
export const operations: z.ZodType<Operation[]> = z.lazy(() => z.array(operation).max(64));

/** Names of all operations that are understood. */
export const OPERATION_TYPES: readonly string[] = [
  ...simple.map(({ shape }) => shape.type.value),
  'SequenceApply',
  'DetectionsFilter',
];
