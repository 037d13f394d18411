/** What a runtime measured itself, since its host last said so: one series of a custom metric. */
export interface MetricUpdate {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  /** Besides the model's name and version. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Of a histogram: the upper bounds of its buckets, increasing. */
  readonly bounds?: readonly number[] | undefined;
  /** Increments of a counter; a gauge's value, the last one counts; a histogram's observations. */
  readonly values: readonly number[];
  /** Of a histogram: how often there was each of the values; once unless given. */
  readonly counts?: readonly number[] | undefined;
}
