import type { CalculatorDefinition, PacketType } from '../../graph/index.ts';
import { defineConcatenateVector } from './concatenate-vector.ts';
import { defineBeginLoop, defineEndLoop } from './loop.ts';
import { bool, float, floatVector, int, string, uint64, vectorOf } from './packet-types.ts';
import { defineSplitVector } from './split-vector.ts';
import {
  defineClipVectorSize,
  defineGetVectorItem,
  defineMergeToVector,
  defineVectorIndices,
  defineVectorSize,
} from './vector-items.ts';

/** A vector packet: an array, or a typed array of numbers. */
type Vector<T> = Iterable<T> & ArrayLike<T>;

/** All calculators for vectors of one kind of element, `noun` being how MediaPipe's names call it. */
export function vectorCalculators<T>(
  noun: string,
  element: PacketType<T>,
  vector: PacketType<Vector<T>> = vectorOf(element),
): readonly CalculatorDefinition[] {
  return [
    ...loopCalculators(noun, element, vector),
    defineClipVectorSize(`Clip${noun}VectorSizeCalculator`, vector),
    defineConcatenateVector(`Concatenate${noun}VectorCalculator`, element, vector),
    defineGetVectorItem(`Get${noun}VectorItemCalculator`, element, vector),
    defineMergeToVector(`Merge${noun}sToVectorCalculator`, element, vector),
    defineSplitVector(`Split${noun}VectorCalculator`, element, vector),
    defineVectorIndices(`${noun}VectorIndicesCalculator`, vector),
    defineVectorSize(`${noun}VectorSizeCalculator`, vector),
  ];
}

/** BeginLoop and EndLoop by themselves, for kinds of elements that have a further name there. */
export function loopCalculators<T>(
  noun: string,
  element: PacketType<T>,
  vector: PacketType<Vector<T>> = vectorOf(element),
): readonly CalculatorDefinition[] {
  return [
    defineBeginLoop(`BeginLoop${noun}Calculator`, element, vector),
    defineEndLoop(`EndLoop${noun}Calculator`, element, vector),
  ];
}

/** Vectors of plain values. */
export const valueVectorCalculators: readonly CalculatorDefinition[] = [
  ...vectorCalculators('Bool', bool),
  ...loopCalculators('Boolean', bool),
  ...vectorCalculators('Float', float, floatVector),
  ...vectorCalculators('Int', int),
  defineConcatenateVector('ConcatenateInt32VectorCalculator', int, vectorOf(int)),
  ...vectorCalculators('String', string),
  ...vectorCalculators('Uint64t', uint64),
  defineConcatenateVector('ConcatenateUInt64VectorCalculator', uint64, vectorOf(uint64)),
];
