/** IEEE 754 half precision (FP16) as bits, to and from numbers; Node 20 has no Float16Array. */

const BITS = new Uint32Array(1);
const SINGLE = new Float32Array(BITS.buffer);

/** The number that 16 bits stand for. */
export function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits nearest to a number, ties to even; beyond 65504 by half a step or more: an infinity. */
export function numberToHalf(value: number): number {
  SINGLE[0] = value;
  const sign = (BITS[0] ?? 0) >>> 31 === 0 ? 0 : 0x8000;
  if (Number.isNaN(value)) return 0x7e00;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  // In steps of the exponent that the value has as a half; the division is exact, so there is one rounding only.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const step = 2 ** (exponent - 10);
  const steps = roundHalfToEven(size / step);
  // 1024 steps at the least exponent, and 2048 at others, carry into the next exponent by themselves.
  return sign | (size < 2 ** -14 ? steps : ((exponent + 15) << 10) + (steps - 1024));
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}
