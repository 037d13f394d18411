import { describe, expect, it } from 'vitest';
import { decodeBytes } from '../../tensor/bytes.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import { typedData } from '../../tensor/tensor.ts';
import { decodeData } from './json-data.ts';

function decode(text: string, datatype: Datatype, shape: readonly number[]): Uint8Array {
  const bytes = Buffer.from(text);
  const count = shape.reduce((product, dim) => product * dim, 1);
  return decodeData(bytes, { start: 0, end: bytes.length }, 'x', datatype, shape, count);
}

function values(text: string, datatype: Datatype, shape: readonly number[]): unknown[] {
  return [...typedData({ name: 'x', datatype, shape, data: decode(text, datatype, shape) })];
}

function randomNumber(round: number): number {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setUint32(0, Math.imul(round + 1, 2654435761) >>> 0);
  bits.setUint32(4, Math.imul(round + 7, 40503 * 65537) >>> 0);
  const value = bits.getFloat64(0);
  return Number.isFinite(value) ? value : round / 3;
}

describe('decodeData', () => {
  it.each<[string, Datatype, number[], unknown[]]>([
    ['[1,2,3]', 'INT32', [3], [1, 2, 3]],
    ['[ [1 , 2],\n [3,4] ]', 'UINT8', [2, 2], [1, 2, 3, 4]],
    ['[[[[7]]]]', 'INT8', [1], [7]],
    ['[-128,127]', 'INT8', [2], [-128, 127]],
    ['[0,65535]', 'UINT16', [2], [0, 65535]],
    ['[-2147483648,2147483647]', 'INT32', [2], [-2147483648, 2147483647]],
    ['[4294967295]', 'UINT32', [1], [4294967295]],
    ['[9007199254740993,-9223372036854775808,-1,5]', 'INT64', [4], [9007199254740993n, -(2n ** 63n), -1n, 5n]],
    ['[18446744073709551615,4294967296,0]', 'UINT64', [3], [2n ** 64n - 1n, 2n ** 32n, 0n]],
    ['[true,false,1,0]', 'BOOL', [4], [1, 0, 1, 0]],
    ['[0.1,NaN,Infinity,-Infinity,-0.0]', 'FP32', [5], [Math.fround(0.1), NaN, Infinity, -Infinity, -0]],
    ['[1e3,1.5E-3,0.1,123456789012345678]', 'FP64', [4], [1000, 0.0015, 0.1, 123456789012345680]],
    ['[]', 'FP32', [0], []],
    ['[[],[]]', 'INT32', [2, 0], []],
    ['[5]', 'INT32', [], [5]],
  ])('reads %s as %s %j', (text, datatype, shape, expected) => {
    expect(values(text, datatype, shape)).toEqual(expected);
  });

  it('reads BYTES from strings, escapes and all', () => {
    const elements = ['', 'a', 'ünï', 'quote " \\ \n \u0000 😀', 'x'.repeat(300), `${'y'.repeat(100)}\n`];
    const data = decode(JSON.stringify([elements.slice(0, 3), elements.slice(3)]), 'BYTES', [2, 3]);
    expect(decodeBytes(data, 6, 'x').map(String)).toEqual(elements);
  });

  it('rounds every double as Number does', () => {
    const doubles = Array.from({ length: 20_000 }, (_, i) =>
      i % 3 === 0 ? randomNumber(i) : Math.sin(i) * 10 ** (i % 20),
    );
    expect(values(JSON.stringify(doubles), 'FP64', [doubles.length])).toEqual(doubles.map((value) => value + 0));
  });

  it('rounds to FP32 as a rounding of the double does', () => {
    const doubles = Array.from({ length: 20_000 }, (_, i) =>
      i % 2 === 0 ? Math.fround(Math.sin(i) * 10 ** (i % 30)) : Math.cos(i) * 10 ** ((i % 40) - 20),
    );
    // Halfway between two neighbours in FP32, and one unit of the double to each side.
    const ties = Array.from({ length: 2000 }, (_, i) => {
      const low = Math.fround(1 + i / 2000);
      const tie = (low + (low + 2 ** -23)) / 2;
      return [tie, tie + 2 ** -52, tie - 2 ** -52];
    }).flat();
    const all = [...doubles, ...ties];
    expect(values(JSON.stringify(all), 'FP32', [all.length])).toEqual(all.map(Math.fround));
  });

  it('reads more than one chunk', () => {
    const many = Array.from({ length: 5000 }, (_, i) => i);
    expect(values(JSON.stringify(many), 'UINT16', [5000])).toEqual(many);
  });

  it.each<[string, Datatype, number[], string]>([
    ['[1,300]', 'UINT8', [2], 'input "x" (UINT8): data[1] is 300, an integer from 0 to 255 expected'],
    ['[-129]', 'INT8', [1], 'data[0] is -129, an integer from -128 to 127 expected'],
    ['[1.5]', 'INT32', [1], 'data[0] is 1.5, an integer from'],
    ['[NaN]', 'INT32', [1], 'data[0] is NaN'],
    ['[1.5]', 'INT64', [1], 'data[0] is 1.5, an integer from -9223372036854775808'],
    ['[-1]', 'UINT64', [1], 'data[0] is -1, an integer from 0 to 18446744073709551615 expected'],
    ['[9223372036854775808]', 'INT64', [1], 'data[0] is 9223372036854775808, an integer from -9223372036854775808'],
    ['["1"]', 'FP32', [1], 'data[0] is a string, a number expected'],
    ['[null]', 'FP32', [1], 'data[0] is null, a number expected'],
    ['[true]', 'INT32', [1], 'data[0] is true, a number expected'],
    ['[{}]', 'INT32', [1], 'data[0] is an object, a number expected'],
    ['["a",1]', 'BYTES', [2], 'data[1] is 1, a string expected'],
    ['[2]', 'BOOL', [1], 'data[0] is 2, true, false, 0 or 1 expected'],
    ['[1,2,3]', 'INT32', [2], '3 elements in "data", 2 expected for shape [2]'],
    ['[1,2,3]', 'INT32', [2, 2], '3 elements in "data", 4 expected for shape [2,2]'],
    ['["a"]', 'BYTES', [2], '1 elements in "data", 2 expected'],
    ['[1]', 'FP32', [1e9], '1 elements in "data", 1000000000 expected'],
    ['[1]', 'FP16', [1], 'FP16 has no JSON form'],
    ['[1]', 'BF16', [1], 'binary extension'],
    ['[1e39]', 'FP32', [1], 'data[0] is 1e+39, a number up to'],
    ['[1e400]', 'FP64', [1], 'input "x" (FP64): data[0] is 1e400, a number up to 1.7976931348623157e+308 expected'],
    ['[1,0.5,-1e400,2]', 'FP32', [4], 'data[2] is -1e400, a number up to'],
    ['[0.5,1e400]', 'INT8', [2], 'data[0] is 0.5, an integer from -128'],
    ['[1,,2]', 'INT32', [2], 'a value expected at byte 3'],
    ['[1 2]', 'INT32', [2], "',' or ']' expected at byte 3"],
    ['[1,]', 'INT32', [1], 'a value expected at byte 3'],
    ['[01]', 'INT32', [1], 'a number expected at byte 1'],
    ['[1.]', 'FP32', [1], 'a number expected at byte 1'],
    ['[-]', 'FP32', [1], 'a number expected at byte 1'],
    ['[1x]', 'FP32', [1], "',' or ']' expected at byte 2"],
    ['[[1],[2]', 'FP32', [2], 'expected at byte 8, got the end'],
    [`${'['.repeat(120)}1${']'.repeat(120)}`, 'INT32', [1], 'exceeds maximum allowed limit (100)'],
  ])('refuses %s as %s %j', (text, datatype, shape, message) => {
    expect(() => decode(text, datatype, shape)).toThrow(message);
  });
});
