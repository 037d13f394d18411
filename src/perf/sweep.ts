import { concurrencyLoad, rateLoad, type Load, type Send } from './load.ts';
import { measure, type WindowOptions } from './measure.ts';
import { latencyUs, Recorder, type Recorded } from './recorder.ts';
import type { RequestSource } from './requests.ts';
import type { Target } from './target.ts';

export interface SweepOptions extends WindowOptions {
  /** Requests under way at once, or requests a second. */
  readonly mode: 'concurrency' | 'request_rate';
  readonly levels: readonly number[];
  readonly distribution: 'constant' | 'poisson';
  /** In `request_rate`: no more than so many under way. */
  readonly maxInFlight: number;
  /** Before each level is measured. */
  readonly warmupMs: number;
  /** The sweep ends at the first level whose latency is above; undefined: none. */
  readonly latencyLimitMs: number | undefined;
}

export interface LevelResult {
  readonly level: number;
  readonly isStable: boolean;
  readonly recorded: Recorded;
}

/** Measures level after level; each is told as soon as it is known. Ends early when aborted. */
export async function* sweep(
  target: Target,
  source: RequestSource,
  options: SweepOptions,
  signal: AbortSignal,
): AsyncGenerator<LevelResult, void, undefined> {
  for (const level of options.levels) {
    if (signal.aborted) return;
    const recorder = new Recorder();
    const load = startLoad(level, options, recorder, sender(target, source, recorder));
    try {
      if (options.warmupMs > 0)
        await measure(recorder, { ...options, intervalMs: options.warmupMs, minRequests: 0, maxTrials: 1 }, signal);
      const { isStable, recorded } = await measure(recorder, options, signal);
      yield { level, isStable, recorded };
      const { latencyLimitMs, percentile } = options;
      if (latencyLimitMs !== undefined && latencyUs(recorded.latency, percentile) > latencyLimitMs * 1000) return;
    } finally {
      await load.stop();
      // A stateful server would keep what is begun; whether it takes the end changes no measurement.
      await Promise.allSettled(source.endings().map(([worker, request]) => target.run(worker, request, () => {})));
    }
  }
}

function startLoad(level: number, options: SweepOptions, recorder: Recorder, send: Send): Load {
  if (options.mode === 'concurrency') return concurrencyLoad(level, send);
  const { distribution, maxInFlight } = options;
  return rateLoad({ rate: level, distribution, maxInFlight, onDelayed: () => recorder.delayed() }, send);
}

/** Pause after a refused request, lest a server that is gone keeps us spinning. */
const AFTER_FAILURE_MS = 10;

function sender(target: Target, source: RequestSource, recorder: Recorder): Send {
  return async (worker) => {
    const responsesAt: number[] = [];
    const startedAt = performance.now();
    try {
      await target.run(worker, source.next(worker), () => responsesAt.push(performance.now()));
      recorder.answered(startedAt, responsesAt, performance.now());
    } catch (error) {
      recorder.failed(error);
      await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE_MS));
    }
  };
}
