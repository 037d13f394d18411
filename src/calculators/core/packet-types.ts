import { PacketType, type OptionFields } from '../../graph/index.ts';

const isWhole = (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value);
const isNumber = (value: unknown) => typeof value === 'number';

/** A whole number; a bigint is taken too. */
export const int = new PacketType<number>('int', isWhole);
export const float = new PacketType<number>('float', isNumber);
export const bool = new PacketType<boolean>('bool', (value) => typeof value === 'boolean');
export const string = new PacketType<string>('string', (value) => typeof value === 'string');
/** A whole number from 0 to 2^64 − 1, as a number or a bigint. */
export const uint64 = new PacketType<number | bigint>('uint64', (value) => isWhole(value) && Number(value) >= 0);
/** A timestamp as a value. */
export const timestamp = new PacketType<bigint>('Timestamp', (value) => typeof value === 'bigint');
export const floatVector = new PacketType<readonly number[] | Float32Array>(
  'std::vector<float>',
  (value) => value instanceof Float32Array || (Array.isArray(value) && value.every(isNumber)),
);

/** Fields of an option message, named as in graph files. */
export const optionFields = new PacketType<OptionFields>(
  'CalculatorOptions',
  (value) => typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype,
);

/** Arrays of `element`. */
export function vectorOf<T>(element: PacketType<T>): PacketType<readonly T[]> {
  return new PacketType(
    `std::vector<${element.name}>`,
    (value) => Array.isArray(value) && value.every((item) => element.accepts(item)),
  );
}
