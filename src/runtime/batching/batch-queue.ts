import { MillraceError } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { RunCaller } from '../model-session.ts';
import type { BatchingOptions, QueuePolicy } from './batching-options.ts';

/** A request that waits for its batch. Times are in ms, as of `performance.now()`. */
export interface Waiting {
  readonly inputs: readonly Tensor[];
  /** First dimension of its inputs. */
  readonly rows: number;
  /** Equal for requests that may share a batch. */
  readonly key: string;
  readonly requestId: string;
  readonly since: number;
  readonly isWanted: () => boolean;
  resolve(outputs: Tensor[]): void;
  reject(error: MillraceError): void;
}

/** What waits at one priority. */
interface Level {
  readonly policy: QueuePolicy;
  /** In the order of their coming. */
  inTime: Timed[];
  /** Those whose time was over (`delay`), behind the others. */
  late: Timed[];
}

interface Timed {
  readonly waiting: Waiting;
  /** Infinity: never. */
  readonly expiresAt: number;
}

/** The batch that could run now. */
interface Draft {
  readonly members: readonly Waiting[];
  /** It gets no better by waiting. */
  readonly isComplete: boolean;
}

/** Requests to one model that wait, by priority, and which of them run next as one. */
export class BatchQueue {
  readonly #options: BatchingOptions;
  readonly #model: string;
  /** Rows in one batch, at most; a request with more runs alone. */
  readonly #maxRows: number;
  /** The most urgent first. */
  readonly #levels: readonly Level[];
  #size = 0;
  #nextExpiry = Infinity;

  /** @param model for the details of faults */
  constructor(model: string, options: BatchingOptions, maxBatchSize: number) {
    this.#model = model;
    this.#options = options;
    this.#maxRows = options.preferredSizes.at(-1) ?? maxBatchSize;
    this.#levels = Array.from({ length: Math.max(1, options.priorityLevels) }, (_, at) => ({
      policy: options.priorityQueuePolicies[at + 1] ?? options.queuePolicy,
      inTime: [],
      late: [],
    }));
  }

  /** Requests. */
  get size(): number {
    return this.#size;
  }

  /** When the next request's time is over; Infinity: never. */
  get nextExpiry(): number {
    return this.#nextExpiry;
  }

  /** @throws MillraceError QUEUE_FULL */
  add(waiting: Waiting, { priority = 0, timeoutUs = 0 }: RunCaller): void {
    const level = this.#levelOf(priority);
    const { maxQueueSize } = level.policy;
    if (maxQueueSize > 0 && level.inTime.length + level.late.length >= maxQueueSize) {
      this.#dropUnwanted(level);
      if (level.inTime.length + level.late.length >= maxQueueSize) {
        throw this.#refused('QUEUE_FULL', waiting, 'Exceeds maximum queue size', { max_queue_size: maxQueueSize });
      }
    }
    const expiresAt = waiting.since + timeoutMs(level.policy, timeoutUs);
    level.inTime.push({ waiting, expiresAt });
    this.#size++;
    this.#nextExpiry = Math.min(this.#nextExpiry, expiresAt);
  }

  /** Refuses, or puts last, the requests whose time is over. */
  expire(now: number): void {
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = Infinity;
    for (const level of this.#levels) {
      const expired = level.inTime.filter(({ expiresAt }) => expiresAt <= now);
      if (expired.length > 0) level.inTime = level.inTime.filter(({ expiresAt }) => expiresAt > now);
      for (const { expiresAt } of level.inTime) this.#nextExpiry = Math.min(this.#nextExpiry, expiresAt);
      for (const { waiting } of expired) {
        if (level.policy.onTimeout === 'delay') level.late.push({ waiting, expiresAt: Infinity });
        else this.#reject(waiting, this.#refused('QUEUE_TIMEOUT', waiting, 'Request timeout expired'));
      }
    }
  }

  /**
   * How long the next batch should still wait for more requests, at `now`, in ms; undefined: nothing waits.
   * @param freeSince when the model ended its last run; the time before was no wait for others
   */
  waitMs(now: number, freeSince: number): number | undefined {
    const { members, isComplete } = this.#draft();
    const [oldest] = members;
    if (oldest === undefined) return undefined;
    if (isComplete) return 0;
    return Math.max(0, Math.max(oldest.since, freeSince) + this.#options.maxQueueDelayUs / 1000 - now);
  }

  /** The next batch gets no better by waiting. */
  get isComplete(): boolean {
    return this.#draft().isComplete;
  }

  /** Takes the next batch out; requests that nobody waits for any more are dropped first. Empty: nothing waits. */
  take(): readonly Waiting[] {
    for (const level of this.#levels) this.#dropUnwanted(level);
    const { members } = this.#draft();
    const taken = new Set(members);
    for (const level of this.#levels) {
      level.inTime = level.inTime.filter(({ waiting }) => !taken.has(waiting));
      level.late = level.late.filter(({ waiting }) => !taken.has(waiting));
    }
    this.#size -= taken.size;
    return members;
  }

  /** Refuses all that waits. */
  clear(error: MillraceError): void {
    for (const level of this.#levels) {
      const left = [...level.inTime, ...level.late];
      level.inTime = level.late = [];
      for (const { waiting } of left) this.#reject(waiting, error);
    }
  }

  /**
   * The first request and those that fit to it: up to the largest preferred size that they make, or as many as there are.
   * Where answers keep their order, one that does not fit ends the batch; else it is passed over.
   */
  #draft(): Draft {
    const { preferredSizes, preservesOrder } = this.#options;
    const members: Waiting[] = [];
    let rows = 0;
    let preferred = 0;
    let isComplete = false;
    for (const waiting of this.#inOrder()) {
      const fits = members[0] === undefined || waiting.key === members[0].key;
      if (!fits && !preservesOrder) continue;
      if (!fits || (members.length > 0 && rows + waiting.rows > this.#maxRows)) {
        isComplete = true;
        break;
      }
      members.push(waiting);
      rows += waiting.rows;
      if (preferredSizes.includes(rows)) preferred = members.length;
      if (rows >= this.#maxRows) {
        isComplete = true;
        break;
      }
    }
    if (preferred > 0) return { members: members.slice(0, preferred), isComplete: true };
    return { members, isComplete };
  }

  *#inOrder(): Generator<Waiting> {
    for (const { inTime, late } of this.#levels) {
      for (const { waiting } of inTime) yield waiting;
      for (const { waiting } of late) yield waiting;
    }
  }

  /** 0, and a level that there is not, are the default one (as in Triton). */
  #levelOf(priority: number): Level {
    const { priorityLevels, defaultPriorityLevel } = this.#options;
    const number = priority >= 1 && priority <= priorityLevels ? priority : defaultPriorityLevel;
    return this.#levels[Math.max(1, number) - 1] as Level;
  }

  #dropUnwanted(level: Level): void {
    const dropped = [...level.inTime, ...level.late].filter(({ waiting }) => !waiting.isWanted());
    if (dropped.length === 0) return;
    level.inTime = level.inTime.filter((entry) => !dropped.includes(entry));
    level.late = level.late.filter((entry) => !dropped.includes(entry));
    for (const { waiting } of dropped) {
      this.#reject(waiting, new MillraceError('CANCELLED', 'nobody waits for the result of the run any more'));
    }
  }

  #reject(waiting: Waiting, error: MillraceError): void {
    this.#size--;
    waiting.reject(error);
  }

  /** Triton's texts (KServe sheet §2.5). */
  #refused(
    reason: 'QUEUE_FULL' | 'QUEUE_TIMEOUT',
    { requestId }: Waiting,
    text: string,
    details: Readonly<Record<string, number>> = {},
  ): MillraceError {
    const prefix = reason === 'QUEUE_FULL' ? `[request id: ${requestId === '' ? '<id_unknown>' : requestId}] ` : '';
    return new MillraceError(reason, prefix + text, { details: { model: this.#model, ...details } });
  }
}

/** Infinity: none. A request's own timeout may only shorten that of the policy. */
function timeoutMs({ defaultTimeoutUs, allowsTimeoutOverride }: QueuePolicy, ownUs: number): number {
  const byDefault = defaultTimeoutUs > 0 ? defaultTimeoutUs : Infinity;
  const own = allowsTimeoutOverride && ownUs > 0 ? ownUs : Infinity;
  return Math.min(byDefault, own) / 1000;
}
