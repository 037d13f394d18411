import { latencyUs, merged, type Recorded, type Recorder } from './recorder.ts';

export interface WindowOptions {
  /** Length of a window. */
  readonly intervalMs: number;
  /** A window lasts on until so many requests have ended. */
  readonly minRequests: number;
  /** How far the last three windows may lie from their mean, in per cent, in throughput and in latency. */
  readonly stabilityPercent: number;
  /** Windows before it is given up. */
  readonly maxTrials: number;
  /** What latency means here: a percentile, or the average where undefined. */
  readonly percentile: number | undefined;
}

export interface Measurement {
  readonly isStable: boolean;
  /** Of the last three windows. */
  readonly recorded: Recorded;
}

const WINDOWS = 3;

/** Takes windows until three in a row agree, as perf_analyzer does, or until `maxTrials`. */
export async function measure(recorder: Recorder, options: WindowOptions, signal: AbortSignal): Promise<Measurement> {
  const windows: Recorded[] = [];
  recorder.take();
  for (let trial = 0; trial < options.maxTrials && !signal.aborted; trial++) {
    do await pause(options.intervalMs, signal);
    while (recorder.ended < options.minRequests && !signal.aborted);
    windows.push(recorder.take());
    if (windows.length > WINDOWS) windows.shift();
    if (isStable(windows, options)) return { isStable: true, recorded: merged(windows) };
  }
  return { isStable: false, recorded: merged(windows) };
}

function isStable(windows: readonly Recorded[], { stabilityPercent, percentile }: WindowOptions): boolean {
  if (windows.length < WINDOWS || windows.some(({ requests }) => requests === 0)) return false;
  const throughputs = windows.map(({ requests, durationMs }) => requests / durationMs);
  const latencies = windows.map(({ latency }) => latencyUs(latency, percentile));
  return [throughputs, latencies].every((values) => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return values.every((value) => Math.abs(value - mean) <= (mean * stabilityPercent) / 100);
  });
}

/** Shorter when aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}
