/** What becomes of requests that wait too long, or are too many (Triton's `ModelQueuePolicy`, KServe sheet §4). */
export interface QueuePolicy {
  /** `delay`: behind all others, and none is refused for its wait. */
  readonly onTimeout: 'reject' | 'delay';
  /** Microseconds; 0: none. */
  readonly defaultTimeoutUs: number;
  /** A request may ask for a shorter one. */
  readonly allowsTimeoutOverride: boolean;
  /** Requests; 0: no limit. */
  readonly maxQueueSize: number;
}

/** How requests to a model are joined (Triton's `dynamic_batching`). */
export interface BatchingOptions {
  /** Increasing, in rows: a batch is the largest of them that there are requests for. None: as large as it gets. */
  readonly preferredSizes: readonly number[];
  /** How long the oldest request waits for others while the model is free. Microseconds. */
  readonly maxQueueDelayUs: number;
  /** Answers come in the order of the requests, also where their shapes or priorities differ. */
  readonly preservesOrder: boolean;
  /** 0: no priorities. Else 1 is served first. */
  readonly priorityLevels: number;
  readonly defaultPriorityLevel: number;
  readonly queuePolicy: QueuePolicy;
  /** Of priority levels that have their own, by level. */
  readonly priorityQueuePolicies: Readonly<Record<string, QueuePolicy>>;
}
