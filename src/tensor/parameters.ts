/** uint64 on the wire; plain bigints are int64. */
export class Uint64 {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** KServe v2 `InferParameter`: bool, int64 (bigint), string, double (number), uint64. */
export type ParameterValue = boolean | bigint | string | number | Uint64;

/** Null prototype objects or plain literals; absent means none. */
export type Parameters = Readonly<Record<string, ParameterValue>>;
