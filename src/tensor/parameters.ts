/** uint64 on the wire; plain bigints are int64. */
export class Uint64 {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A JSON object, array or null, kept as text: only JSON has such parameters, and only runtimes see them. */
export class JsonParameter {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** KServe v2 `InferParameter`: bool, int64 (bigint), string, double (number), uint64; and what JSON adds. */
export type ParameterValue = boolean | bigint | string | number | Uint64 | JsonParameter;

/** Null prototype objects or plain literals; absent means none. */
export type Parameters = Readonly<Record<string, ParameterValue>>;
