/** FP16 (IEEE 754 binary16) and BF16 from and to single precision: JavaScript on Node 20 has arrays of neither. */

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

export function halvesToSingles(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = halfToSingle(bits[i] as number);
  return out;
}

export function singlesToHalves(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = singleToHalf(values[i] as number);
  return out;
}

/** BF16 is the upper half of a single. */
export function brainsToSingles(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = (bits[i] as number) << 16;
  return new Float32Array(out.buffer);
}

/** Rounds to the nearest, ties to even. */
export function singlesToBrains(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] as number;
    const isNan = (value & 0x7fffffff) > 0x7f800000;
    out[i] = isNan ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
  }
  return out;
}

function halfToSingle(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds to the nearest, ties to even; beyond 65504 and its rounding an infinity. */
function singleToHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return sign | (fraction === 0 ? 0x7c00 : 0x7e00);
  const scale = exponent - 112;
  if (scale >= 31) return sign | 0x7c00;
  // A carry out of the fraction goes into the exponent, as it should.
  if (scale > 0) return sign + roundShift((scale << 23) | fraction, 13);
  return scale < -10 ? sign : sign + roundShift(fraction | 0x800000, 14 - scale);
}

function roundShift(value: number, by: number): number {
  const kept = value >>> by;
  const cut = value - kept * 2 ** by;
  const half = 2 ** (by - 1);
  return cut > half || (cut === half && (kept & 1) === 1) ? kept + 1 : kept;
}
