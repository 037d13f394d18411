/** Sends requests without end until it is stopped. */
export interface Load {
  /** No more requests; resolves when those under way have ended. */
  stop(): Promise<void>;
}

/** One request, whatever comes of it: never rejects. */
export type Send = (worker: number) => Promise<void>;

/** Keeps so many requests under way: each worker sends its next one when its last was answered. */
export function concurrencyLoad(level: number, send: Send): Load {
  let isStopped = false;
  const workers = Array.from({ length: level }, async (_, worker) => {
    while (!isStopped) await send(worker);
  });
  return {
    stop: async () => {
      isStopped = true;
      await Promise.all(workers);
    },
  };
}

export interface RateOptions {
  /** Requests a second. */
  readonly rate: number;
  /** `constant`: a request every 1/rate seconds; `poisson`: gaps of an exponential distribution with that mean. */
  readonly distribution: 'constant' | 'poisson';
  /** No request is sent while so many are under way: then it is delayed. */
  readonly maxInFlight: number;
  /** Told of requests that could not be sent when planned. */
  readonly onDelayed: () => void;
  readonly random?: () => number;
}

/** Sends at a rate of its own, answered or not, so that waiting in the server shows in the latencies. */
export function rateLoad(options: RateOptions, send: Send): Load {
  const { rate, distribution, maxInFlight, onDelayed, random = Math.random } = options;
  const gapMs = 1000 / rate;
  const nextGap = (): number => (distribution === 'constant' ? gapMs : -Math.log(1 - random()) * gapMs);
  const underWay = new Map<number, Promise<void>>();
  const freeWorkers: number[] = [];
  let workers = 0;
  let plannedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;

  const sendOne = (): void => {
    if (performance.now() - plannedAt > gapMs / 10) onDelayed();
    const worker = freeWorkers.pop() ?? workers++;
    const sent = send(worker).then(() => {
      underWay.delete(worker);
      freeWorkers.push(worker);
    });
    underWay.set(worker, sent);
  };
  const tick = (): void => {
    while (plannedAt <= performance.now() && underWay.size < maxInFlight) {
      sendOne();
      plannedAt += nextGap();
    }
    timer = setTimeout(tick, Math.max(0, plannedAt - performance.now()));
  };
  tick();
  return {
    stop: async () => {
      clearTimeout(timer);
      await Promise.all(underWay.values());
    },
  };
}
