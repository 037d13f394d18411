import type { FrameResult } from './result-record.ts';

/** What results that wait somewhere may hold, about; the last one is kept however large it is. */
export const MAX_WAITING_BYTES = 32 * 2 ** 20;

const PREDICTION_BYTES = 256;
const NUMBER_BYTES = 16;
const ENTRY_BYTES = 32;
/** Of results that several sinks wait with. */
const sizes = new WeakMap<FrameResult, number>();

/** The memory that a result takes, about: what a servable answers besides detections may be whole pictures as text. */
export function resultBytes(result: FrameResult): number {
  const known = sizes.get(result);
  if (known !== undefined) return known;
  const bytes = ENTRY_BYTES + result.predictions.length * PREDICTION_BYTES + bytesOf(result.outputs);
  sizes.set(result, bytes);
  return bytes;
}

function bytesOf(value: unknown): number {
  if (typeof value === 'string') return ENTRY_BYTES + value.length;
  if (typeof value !== 'object' || value === null) return NUMBER_BYTES;
  const parts: unknown[] = Array.isArray(value) ? value : Object.values(value);
  // Tensors: numbers only.
  if (Array.isArray(value) && typeof parts[0] === 'number') return ENTRY_BYTES + parts.length * NUMBER_BYTES;
  return parts.reduce<number>((sum, part) => sum + bytesOf(part), ENTRY_BYTES + parts.length * NUMBER_BYTES);
}
