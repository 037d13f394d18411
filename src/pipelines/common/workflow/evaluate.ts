import { MillraceError } from '../../../base/errors.ts';
import type { Prediction } from '../../../media/sinks/results/result-record.ts';
import { roundHalfEven } from '../round-half-even.ts';
import {
  DETECTION_OPERAND,
  type Comparator,
  type DetectionProperty,
  type Operand,
  type Operation,
  type SortMode,
  type StatementGroup,
  type UnaryOperator,
} from './operations.ts';
import { renamed } from './rename-detections.ts';
import { cornersOf, Detection, Detections, detectionsJson, WorkflowImage } from './values.ts';

type Parameters = Readonly<Record<string, unknown>>;

/**
 * What a chain of operations makes of a value.
 * @param parameters values that filters may name
 * @throws MillraceError PIPELINE_INVALID for a value that an operation cannot take, as Roboflow's InvalidInputTypeError
 */
export function evaluate(operations: readonly Operation[], value: unknown, parameters: Parameters = {}): unknown {
  return operations.reduce((given, operation) => apply(operation, given, parameters), value);
}

function apply(operation: Operation, value: unknown, parameters: Parameters): unknown {
  const { type } = operation;
  switch (operation.type) {
    case 'StringToLowerCase':
      return text(type, value).toLowerCase();
    case 'StringToUpperCase':
      return text(type, value).toUpperCase();
    case 'StringSubSequence':
      return text(type, value).slice(operation.start, operation.end);
    case 'ToNumber':
      return toNumber(type, operation.cast_to, value);
    case 'RandomNumber':
      return operation.min_value + Math.random() * (operation.max_value - operation.min_value);
    case 'ToString':
      return typeof value === 'string' ? value : JSON.stringify(value);
    case 'ToBoolean':
      return Boolean(value);
    case 'LookupTable':
      return lookUp(type, operation.lookup_table, value);
    case 'SequenceMap':
      return list(type, value).map((each) => lookUp(type, operation.lookup_table, each));
    case 'SequenceApply':
      return list(type, value).map((each) => evaluate(operation.operations, each, parameters));
    case 'NumberRound':
      return Number(number(type, value).toFixed(operation.decimal_digits));
    case 'Multiply':
      return number(type, value) * operation.other;
    case 'Divide':
      if (operation.other === 0) throw wrong(type, value, 'a divisor that is not 0');
      return number(type, value) / operation.other;
    case 'SequenceLength':
      return value instanceof Detections ? value.predictions.length : lengthOf(type, value);
    case 'SequenceElementsCount':
      return countsOf(list(type, value));
    case 'NumericSequenceAggregate': {
      const numbers = list(type, value).map((each) => number(type, each));
      if (numbers.length === 0) return operation.neutral_value;
      return operation.function === 'min' ? Math.min(...numbers) : Math.max(...numbers);
    }
    case 'SequenceAggregate':
      return aggregate(operation.mode, list(type, value), type);
    case 'ExtractDetectionProperty':
      if (!(value instanceof Detection)) throw wrong(type, value, 'a detection');
      return propertyOf(value.prediction, operation.property_name, false);
    case 'ExtractImageProperty':
      if (!(value instanceof WorkflowImage)) throw wrong(type, value, 'an image');
      return imageProperty(value, operation.property_name);
    case 'DetectionsPropertyExtract':
    case 'DetectionsSelection':
    case 'SortDetections':
    case 'DetectionsOffset':
    case 'DetectionsShift':
    case 'DetectionsRename':
    case 'DetectionsToDictionary':
    case 'DetectionsFilter':
      return ofDetections(operation, detections(type, value), parameters);
  }
}

type OfDetections = Extract<
  Operation,
  {
    type:
      | 'DetectionsPropertyExtract'
      | 'DetectionsSelection'
      | 'SortDetections'
      | 'DetectionsOffset'
      | 'DetectionsShift'
      | 'DetectionsRename'
      | 'DetectionsToDictionary'
      | 'DetectionsFilter';
  }
>;

function ofDetections(operation: OfDetections, found: Detections, parameters: Parameters): unknown {
  const { predictions } = found;
  switch (operation.type) {
    case 'DetectionsPropertyExtract':
      return predictions.map((each) => propertyOf(each, operation.property_name, true));
    case 'DetectionsSelection':
      return found.with(selected(predictions, operation.mode));
    case 'SortDetections': {
      const sorted = predictions.toSorted((a, b) => sortKey(a, operation.mode) - sortKey(b, operation.mode));
      return found.with(operation.ascending ? sorted : sorted.reverse());
    }
    case 'DetectionsOffset':
      return found.with(
        predictions.map((each) => ({
          ...each,
          width: each.width + operation.offset_x,
          height: each.height + operation.offset_y,
        })),
      );
    case 'DetectionsShift':
      return found.with(
        predictions.map((each) => ({ ...each, x: each.x + operation.shift_x, y: each.y + operation.shift_y })),
      );
    case 'DetectionsRename':
      return found.with(rename(operation, predictions, parameters));
    case 'DetectionsToDictionary':
      return detectionsJson(found, true, { width: found.width, height: found.height, id: found.place.parentId });
    case 'DetectionsFilter':
      return found.with(
        predictions.filter((each) =>
          holds(operation.filter_operation, { ...parameters, [DETECTION_OPERAND]: new Detection(each) }),
        ),
      );
  }
}

function rename(
  operation: Extract<OfDetections, { type: 'DetectionsRename' }>,
  predictions: readonly Prediction[],
  parameters: Parameters,
): readonly Prediction[] {
  const { type, class_map: map, strict, new_classes_id_offset: firstNewId } = operation;
  const given = typeof map === 'string' ? named(map, parameters) : map;
  const isStrict = typeof strict === 'string' ? named(strict, parameters) : strict;
  const entries = given !== null && typeof given === 'object' ? Object.entries(given) : [];
  const isMap = given !== null && typeof given === 'object' && !Array.isArray(given);
  if (!isMap || !entries.every(([, name]) => typeof name === 'string')) throw wrong(type, given, 'names by names');
  if (typeof isStrict !== 'boolean') throw wrong(type, isStrict, 'true or false');
  const result = renamed(predictions, { names: new Map(entries as [string, string][]), isStrict, firstNewId });
  if (result !== undefined) return result;
  const classes = [...new Set(predictions.map((each) => each.class))];
  throw wrong(type, classes, `classes of the strict class_map (${entries.map(([name]) => name).join(', ')})`);
}

/** Whether a group of statements holds. */
function holds({ statements, operator }: StatementGroup, values: Parameters): boolean {
  const results = statements.map((statement) => {
    if (statement.type === 'StatementGroup') return holds(statement, values);
    const result =
      statement.type === 'UnaryStatement'
        ? unary(statement.operator.type, operandOf(statement.operand, values))
        : binary(
            statement.comparator.type,
            operandOf(statement.left_operand, values),
            operandOf(statement.right_operand, values),
          );
    return statement.negate ? !result : result;
  });
  return operator === 'and' ? results.every(Boolean) : results.some(Boolean);
}

function operandOf(operand: Operand, values: Parameters): unknown {
  const value = operand.type === 'StaticOperand' ? operand.value : named(operand.operand_name, values);
  return evaluate(operand.operations, value, values);
}

function named(name: string, values: Parameters): unknown {
  if (Object.hasOwn(values, name)) return values[name];
  throw new MillraceError('PIPELINE_INVALID', `workflow: undefined symbol \`${name}\` in a statement`);
}

function binary(comparator: Comparator, left: unknown, right: unknown): boolean {
  switch (comparator) {
    case '==':
    case '(Number) ==':
      return isSame(left, right);
    case '!=':
    case '(Number) !=':
      return !isSame(left, right);
    case '(Number) >':
      return number(comparator, left) > number(comparator, right);
    case '(Number) >=':
      return number(comparator, left) >= number(comparator, right);
    case '(Number) <':
      return number(comparator, left) < number(comparator, right);
    case '(Number) <=':
      return number(comparator, left) <= number(comparator, right);
    case '(String) startsWith':
      return text(comparator, left).startsWith(text(comparator, right));
    case '(String) endsWith':
      return text(comparator, left).endsWith(text(comparator, right));
    case '(String) contains':
      return text(comparator, left).includes(text(comparator, right));
    case 'in (Sequence)':
      return list(comparator, right).some((each) => isSame(each, left));
    case 'any in (Sequence)':
      return list(comparator, left).some((item) => list(comparator, right).some((each) => isSame(each, item)));
    case 'all in (Sequence)':
      return list(comparator, left).every((item) => list(comparator, right).some((each) => isSame(each, item)));
  }
}

function unary(operator: UnaryOperator, value: unknown): boolean {
  switch (operator) {
    case 'Exists':
      return value !== null && value !== undefined;
    case 'DoesNotExist':
      return value === null || value === undefined;
    case '(Boolean) is True':
      return value === true;
    case '(Boolean) is False':
      return value === false;
    case '(Sequence) is empty':
      return lengthOf(operator, value) === 0;
    case '(Sequence) is not empty':
      return lengthOf(operator, value) > 0;
  }
}

/** @param isRounded points in whole pixels, as Roboflow gives them where it takes them of all detections at once */
function propertyOf(prediction: Prediction, property: DetectionProperty, isRounded: boolean): unknown {
  const { left, top, right, bottom } = cornersOf(prediction);
  const point = (x: number, y: number): number[] => (isRounded ? [roundHalfEven(x), roundHalfEven(y)] : [x, y]);
  switch (property) {
    case 'confidence':
      return prediction.confidence;
    case 'class_name':
      return prediction.class;
    case 'class_id':
      return prediction.class_id;
    case 'x_min':
      return left;
    case 'x_max':
      return right;
    case 'y_min':
      return top;
    case 'y_max':
      return bottom;
    case 'size':
      return prediction.width * prediction.height;
    case 'center':
      return point(prediction.x, prediction.y);
    case 'top_left':
      return point(left, top);
    case 'top_right':
      return point(right, top);
    case 'bottom_left':
      return point(left, bottom);
    case 'bottom_right':
      return point(right, bottom);
  }
}

function sortKey(prediction: Prediction, mode: SortMode): number {
  if (mode === 'center_x') return prediction.x;
  if (mode === 'center_y') return prediction.y;
  return propertyOf(prediction, mode, false) as number;
}

function selected(
  predictions: readonly Prediction[],
  mode: 'left_most' | 'right_most' | 'top_confidence' | 'first' | 'last',
): readonly Prediction[] {
  const best = (key: (each: Prediction) => number): readonly Prediction[] =>
    predictions.length === 0 ? [] : [predictions.reduce((a, b) => (key(b) > key(a) ? b : a))];
  switch (mode) {
    case 'first':
      return predictions.slice(0, 1);
    case 'last':
      return predictions.slice(-1);
    case 'left_most':
      return best(({ x }) => -x);
    case 'right_most':
      return best(({ x }) => x);
    case 'top_confidence':
      return best(({ confidence }) => confidence);
  }
}

function aggregate(mode: 'first' | 'last' | 'most_common' | 'least_common', values: readonly unknown[], type: string) {
  if (values.length === 0) throw wrong(type, values, 'a sequence that is not empty');
  if (mode === 'first') return values[0];
  if (mode === 'last') return values.at(-1);
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  // Stable: of those as frequent the first comes first.
  const ordered = [...counts].toSorted(([, a], [, b]) => b - a).map(([value]) => value);
  return mode === 'most_common' ? ordered[0] : ordered.at(-1);
}

function countsOf(values: readonly unknown[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return Object.fromEntries(counts);
}

function imageProperty({ picture: { width, height } }: WorkflowImage, property: string): number {
  if (property === 'width') return width;
  if (property === 'height') return height;
  return property === 'size' ? width * height : width / height;
}

function lookUp(type: string, table: Readonly<Record<string, unknown>>, value: unknown): unknown {
  const key = String(value);
  if (Object.hasOwn(table, key)) return table[key];
  throw wrong(type, value, `one of ${Object.keys(table).join(', ')}`);
}

function lengthOf(type: string, value: unknown): number {
  if (value instanceof Detections) return value.predictions.length;
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value !== null && typeof value === 'object') return Object.keys(value).length;
  throw wrong(type, value, 'a sequence');
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}

function number(type: string, value: unknown): number {
  if (typeof value === 'number') return value;
  throw wrong(type, value, 'a number');
}

const WHOLE = /^\s*[+-]?\d+\s*$/;
const DECIMAL = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;

/** As Python's `int` and `float` read texts, numbers and truths. */
function toNumber(type: string, castTo: 'int' | 'float', value: unknown): number {
  const isReadable =
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    (typeof value === 'string' && (castTo === 'int' ? WHOLE : DECIMAL).test(value));
  const read = isReadable ? Number(value) : NaN;
  if (Number.isNaN(read)) throw wrong(type, value, castTo === 'int' ? 'a whole number' : 'a number');
  return castTo === 'int' ? Math.trunc(read) : read;
}

function text(type: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw wrong(type, value, 'a text');
}

function list(type: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(type, value, 'a list');
}

function detections(type: string, value: unknown): Detections {
  if (value instanceof Detections) return value;
  throw wrong(type, value, 'detections');
}

function wrong(type: string, value: unknown, expected: string): MillraceError {
  const given =
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? value.constructor.name
      : JSON.stringify(value);
  return new MillraceError(
    'PIPELINE_INVALID',
    `workflow: ${type}: ${String(given).slice(0, 80)} given, ${expected} expected`,
  );
}
