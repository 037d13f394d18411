import type { StreamReport } from '../../stream-client/index.ts';

const INTERVAL_MS = 1_000;
/** Where it cannot be written over, a line now and then. */
const LOG_INTERVAL_MS = 10_000;

/** One line that says how a run goes, written over itself in a terminal. */
export class ProgressLine {
  readonly #write: (text: string) => void;
  readonly #isOn: boolean;
  readonly #isTerminal = process.stderr.isTTY === true;
  #timer: NodeJS.Timeout | undefined;
  #isShown = false;
  #before: { readonly frames: number; readonly atMs: number } = { frames: 0, atMs: performance.now() };

  constructor(write: (text: string) => void, isOn: boolean) {
    this.#write = write;
    this.#isOn = isOn;
  }

  start(report: () => StreamReport): void {
    if (!this.#isOn) return;
    this.#timer = setInterval(() => this.#show(report()), this.#isTerminal ? INTERVAL_MS : LOG_INTERVAL_MS);
  }

  /** A line of its own, for what should stay. */
  note(text: string): void {
    this.#clear();
    this.#write(`millrace: ${text}\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #show(report: StreamReport): void {
    const atMs = performance.now();
    const fps = ((report.frames - this.#before.frames) * 1000) / (atMs - this.#before.atMs);
    this.#before = { frames: report.frames, atMs };
    const line = progressText(report, fps);
    this.#clear();
    this.#write(this.#isTerminal ? line : `millrace: ${line}\n`);
    this.#isShown = this.#isTerminal;
  }

  #clear(): void {
    if (this.#isShown) this.#write('\r\x1b[K');
    this.#isShown = false;
  }
}

/** @param fps of the last moments; the report has that of the whole run */
export function progressText(report: StreamReport, fps: number): string {
  const { frames, sent, latency_ms: latency } = report;
  const drops = Object.entries(report.drops).filter(([, count]) => count > 0);
  const dropped = drops.length === 0 ? 'none' : drops.map(([cause, count]) => `${count} ${cause}`).join(', ');
  return `${frames} of ${sent} frames, ${fps.toFixed(1)} fps, latency p50 ${latency.p50} p99 ${latency.p99} ms, dropped: ${dropped}`;
}
