/** Failures that a source may have at once, and how fast it may have more. */
const BURST = 20;
const PER_SECOND = 1;
/** How often one source is told of in the log. */
const LOG_INTERVAL_MS = 60_000;
/** Sources that are remembered; one more and the one that failed longest ago is forgotten. */
const MAX_SOURCES = 10_000;
/** Lines of all sources in an interval. */
const MAX_LINES = 60;

interface Source {
  left: number;
  atMs: number;
  loggedAtMs: number;
  /** Failures since the last line. */
  untold: number;
}

export interface Failure {
  /** The source has failed too often: it is told to wait. */
  readonly isTooMany: boolean;
  /** Set: this one is to be logged, and so many of the source before it were not. */
  readonly untold: number | undefined;
}

/** Counts failed authentications by where they come from, in bounded memory. */
export class FailureLimit {
  readonly #sources = new Map<string, Source>();
  readonly #now: () => number;
  #lines = 0;
  #linesSinceMs = 0;

  /** @param now milliseconds */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @param address of the client; of IPv6 its network of 64 bits, which one client may have whole */
  failed(address: string): Failure {
    const now = this.#now();
    const key = networkOf(address);
    const source = this.#sources.get(key) ?? { left: BURST, atMs: now, loggedAtMs: -Infinity, untold: 0 };
    this.#sources.delete(key);
    if (this.#sources.size >= MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value as string);
    this.#sources.set(key, source);
    source.left = Math.min(BURST, source.left + ((now - source.atMs) / 1000) * PER_SECOND);
    source.atMs = now;
    const isTooMany = source.left < 1;
    if (!isTooMany) source.left--;
    if (now - source.loggedAtMs < LOG_INTERVAL_MS || !this.#hasLine(now)) {
      source.untold++;
      return { isTooMany, untold: undefined };
    }
    const { untold } = source;
    source.untold = 0;
    source.loggedAtMs = now;
    return { isTooMany, untold };
  }

  get size(): number {
    return this.#sources.size;
  }

  #hasLine(now: number): boolean {
    if (now - this.#linesSinceMs >= LOG_INTERVAL_MS) {
      this.#linesSinceMs = now;
      this.#lines = 0;
    }
    return this.#lines++ < MAX_LINES;
  }
}

function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const first = head.split(':').filter((group) => group !== '');
  const last = tail === undefined ? [] : tail.split(':').filter((group) => group !== '');
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...last];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
