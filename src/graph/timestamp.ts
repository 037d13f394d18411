const LOWEST = -(2n ** 63n);
const HIGHEST = 2n ** 63n - 1n;

/**
 * The special timestamps, in order. A timestamp is an int64 count of microseconds; the *range values* `Min`…`Max` are the
 * ordinary ones. A graph stream carries packets at range values, or exactly one at `PreStream`, or exactly one at `PostStream`.
 */
export const Timestamp = {
  Unset: LOWEST,
  Unstarted: LOWEST + 1n,
  PreStream: LOWEST + 2n,
  Min: LOWEST + 3n,
  Max: HIGHEST - 3n,
  PostStream: HIGHEST - 2n,
  OneOverPostStream: HIGHEST - 1n,
  Done: HIGHEST,
} as const satisfies Record<string, bigint>;

/** The lowest timestamp that the next packet of a stream may have after one at `t`. */
export function nextTimestamp(t: bigint): bigint {
  if (t === Timestamp.PreStream || t >= Timestamp.Max) return Timestamp.OneOverPostStream;
  return t < Timestamp.Min ? Timestamp.Min : t + 1n;
}

/** The timestamp up to which a stream with the bound `t` is settled. */
export function prevTimestamp(t: bigint): bigint {
  if (t <= Timestamp.Min || t === Timestamp.PostStream) return Timestamp.Unstarted;
  return t > Timestamp.Max ? Timestamp.Max : t - 1n;
}

export function isRangeTimestamp(t: bigint): boolean {
  return t >= Timestamp.Min && t <= Timestamp.Max;
}

/** Whether a packet may have this timestamp. */
export function isPacketTimestamp(t: bigint): boolean {
  return t >= Timestamp.PreStream && t <= Timestamp.PostStream;
}

/** `t + offset` for a range value `t`, clamped to the range values. */
export function addToTimestamp(t: bigint, offset: bigint): bigint {
  const sum = t + offset;
  return sum < Timestamp.Min ? Timestamp.Min : sum > Timestamp.Max ? Timestamp.Max : sum;
}

/** The bound of an output with the timestamp offset `offset` once the inputs at `t` are processed. */
export function offsetBound(t: bigint, offset: bigint): bigint {
  if (t === Timestamp.PreStream) return Timestamp.Min;
  if (t === Timestamp.PostStream) return Timestamp.OneOverPostStream;
  if (t === Timestamp.Max) {
    return offset >= 0n ? Timestamp.PostStream : nextTimestamp(addToTimestamp(t, offset));
  }
  return offset === 0n ? t + 1n : addToTimestamp(t + 1n, offset);
}

const NAMES: ReadonlyMap<bigint, string> = new Map(
  Object.entries(Timestamp).map(([name, t]) => [t, `Timestamp::${name}()`]),
);

/** `Timestamp::PreStream()` and the like for special values, else the decimal number. */
export function timestampName(t: bigint): string {
  return NAMES.get(t) ?? t.toString();
}
