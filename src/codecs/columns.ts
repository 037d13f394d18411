import type { TypedArray } from '../tensor/datatype.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { decodeTexts, listTensor } from './bytes-lists.ts';
import { encodeDatetimes } from './datetimes.ts';
import { wrongElement, wrongTensor, wrongValue } from './faults.ts';
import { decodeArray, encodeArray } from './nd-array.ts';

/** One column of a table, an element per row. */
export type Column = TypedArray | readonly unknown[];

/** What `pd` stands for here: the columns of a table by name, all of one length. */
export type Columns = Readonly<Record<string, Column>>;

/** `pd_json`: each cell is a JSON text. @throws MALFORMED_BYTES for a cell that is none */
export function decodeJsonCells(tensor: Tensor): unknown[] {
  return decodeTexts(tensor, 'pd_json').map((text, index) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw wrongElement(tensor, 'pd_json', index, `is ${JSON.stringify(text.slice(0, 40))}, a JSON text expected`);
    }
  });
}

export function encodeJsonCells(name: string, values: readonly unknown[]): Tensor {
  const texts = values.map((value) => {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw wrongValue(name, value, 'a value that JSON can hold');
    return text;
  });
  return listTensor(name, texts, 'pd_json');
}

/**
 * Puts decoded inputs side by side as a table.
 * @param decode what an input's own codec makes of it; undefined: it has none
 * @throws WRONG_SHAPE for an input with more than one element per row, and for columns of different length
 */
export function decodeColumns(inputs: readonly Tensor[], decode: (input: Tensor) => unknown): Columns {
  const columns: Record<string, Column> = Object.create(null) as Record<string, Column>;
  const rows = inputs[0] === undefined ? 0 : rowsOf(inputs[0]);
  for (const input of inputs) {
    const count = elementCount(input.shape);
    if (count !== rowsOf(input) || count !== rows) {
      const given = `shape [${input.shape.join(',')}] given`;
      throw wrongTensor('WRONG_SHAPE', input, 'pd', `${given}, one element for each of ${rows} rows expected`);
    }
    const value = decode(input) ?? decodeArray(input);
    columns[input.name] = isColumn(value) ? value : (value as { data: Column }).data;
  }
  return columns;
}

/** One tensor of shape `[n, 1]` per column. Text columns are tagged `str`, columns of other objects become `pd_json`. */
export function encodeColumns(columns: Columns): Tensor[] {
  const entries = Object.entries(columns);
  const rows = entries[0]?.[1].length;
  return entries.map(([name, column]) => {
    if (!isColumn(column)) throw wrongValue(name, column, 'a column: an array or a typed array');
    if (column.length !== rows) throw wrongValue(name, column, `${rows} rows, as the first column has,`);
    return encodeColumn(name, column);
  });
}

function encodeColumn(name: string, column: Column): Tensor {
  const numbers = ArrayBuffer.isView(column) ? column : numbersOf(column);
  if (numbers !== undefined) return { ...encodeArray(name, numbers), parameters: undefined };
  const cells = column as readonly unknown[];
  if (cells.every((cell) => typeof cell === 'string')) return listTensor(name, cells, 'str');
  if (cells.every((cell) => typeof cell === 'boolean')) {
    const data = Uint8Array.from(cells, Number);
    return { ...encodeArray(name, { datatype: 'BOOL', shape: [data.length], data }), parameters: undefined };
  }
  if (cells.every((cell) => cell instanceof Uint8Array)) return listTensor(name, cells);
  if (cells.every((cell) => cell instanceof Date)) return encodeDatetimes(name, cells);
  return encodeJsonCells(name, cells);
}

/** As pandas has it: whole numbers are INT64, others FP64, where a missing one is NaN. Undefined: other things than numbers. */
function numbersOf(cells: readonly unknown[]): TypedArray | undefined {
  const [first] = cells;
  if (typeof first === 'bigint') {
    return cells.every((cell) => typeof cell === 'bigint') ? BigInt64Array.from(cells) : undefined;
  }
  const isNumeric = cells.some((cell) => typeof cell === 'number');
  if (!isNumeric || !cells.every((cell) => typeof cell === 'number' || cell === null)) return undefined;
  if (cells.every((cell) => Number.isSafeInteger(cell))) return BigInt64Array.from(cells as number[], BigInt);
  return Float64Array.from(cells as (number | null)[], (cell) => cell ?? NaN);
}

const rowsOf = ({ shape }: Tensor): number => shape[0] ?? 1;

function isColumn(value: unknown): value is Column {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
