import { expect, test } from 'vitest';
import { bytesFault, decodeBytes, encodeBytes } from './bytes.ts';
import { responseFault } from './tensor-fault.ts';

test('elements come back as they went in', () => {
  const elements = ['', 'größe', Buffer.alloc(70_000, 7)];
  expect(decodeBytes(encodeBytes(elements), 3, 'x')).toEqual(elements.map((element) => Buffer.from(element)));
});

test.each([
  [[1, 0, 0], 1, 'incomplete string length indicator for it, expecting 4 bytes but only 3 bytes available'],
  [[2, 0, 0, 0, 65], 1, 'incomplete string data for it, expecting string of length 2 but only 1 bytes available'],
  [[0, 0, 0, 255], 1, 'expecting string of length 4278190080 but only 0'],
  [[0, 0, 0, 0, 0, 0, 0, 0], 1, 'unexpected number of string elements 2 for it, expecting 1'],
  [[0, 0, 0, 0], 2, 'expected 2 string elements for it, got 1'],
])('%j is no %d elements', (bytes, expected, text) => {
  expect(bytesFault(Uint8Array.from(bytes), expected, 'it')).toContain(text);
});

test("an answer's BYTES are looked at", () => {
  const output = { name: 'y', datatype: 'BYTES', shape: [1], data: Uint8Array.of(9, 0, 0, 0, 65) };
  expect(responseFault({ outputs: [output] })).toBe(
    'output "y": data: incomplete string data for tensor \'y\', expecting string of length 9 but only 1 bytes available',
  );
});
