import { vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import type { MillraceError } from '../../src/base/errors.ts';
import { serveHost } from '../../src/host/serve-host.ts';
import { fromStream } from '../../src/ipc/connection.ts';
import type { HostClient } from '../../src/ipc/host-client.ts';
import type { MetricUpdate } from '../../src/ipc/metric-update.ts';
import type { Infer } from '../../src/ipc/incoming-calls.ts';
import { localLauncher, processLauncher, type Launcher } from '../../src/ipc/launcher.ts';
import type { SessionSink } from '../../src/ipc/session.ts';
import { defaultSupervision, Supervisor } from '../../src/ipc/supervisor.ts';
import type { InferenceRequest, InferenceResponse } from '../../src/tensor/inference.ts';

// A process takes a while to start where the machine is busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const limits = { maxMessages: 8, maxBytes: 4_000_000 };

export const launchers: Record<string, Launcher> = {
  'in a process': processLauncher(new URL('../../src/host/main.ts', import.meta.url), {
    ...process.env,
    MILLRACE_HOST_LOG_LEVEL: 'error',
  }),
  'in this process': localLauncher((stream) => serveHost(fromStream(stream), silentLogger, () => {})),
};

export interface Started {
  readonly client: HostClient;
  readonly supervisor: Supervisor;
  /** The next host that comes up. */
  readonly nextUp: () => Promise<HostClient>;
  /** Runs of models so far, of any host. */
  readonly runs: { count: number };
  /** What runtimes have measured so far. */
  readonly metrics: MetricUpdate[];
  /** Answers runs of models that are on another host. */
  onCall: Infer;
  /** Models of another host that the host has no use for any more, by their numbers. */
  readonly released: number[];
}

export async function start(launch: Launcher): Promise<Started> {
  const ups: HostClient[] = [];
  const runs = { count: 0 };
  const metrics: MetricUpdate[] = [];
  const released: number[] = [];
  let wake: (() => void) | undefined;
  const supervisor = new Supervisor(
    launch,
    { ...defaultSupervision, name: 'test', settings: { hosts: 2 }, limits, maxSilenceMs: 20_000 },
    {
      onUp: (client) => {
        ups.push(client);
        wake?.();
      },
      onDown: () => {},
      onRun: () => void runs.count++,
      onMetrics: (_loadId, updates) => void metrics.push(...updates),
      onCall: (...call) => started.onCall(...call),
      onReleased: (loadId) => void released.push(loadId),
    },
    silentLogger,
  );
  supervisor.start();
  const nextUp = async (): Promise<HostClient> => {
    for (;;) {
      const client = ups.shift();
      if (client !== undefined) return client;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  const onCall: Infer = () => Promise.reject(new Error('no call was expected'));
  const started: Started = { client: await nextUp(), supervisor, nextUp, runs, metrics, onCall, released };
  return started;
}

export const request = (servable: string, inputs: InferenceRequest['inputs'], id = ''): InferenceRequest => ({
  servable,
  version: '',
  id,
  inputs,
  outputs: [],
});
/** A sink that keeps everything. */
export class Kept implements SessionSink {
  readonly responses: InferenceResponse[] = [];
  readonly refused: [string, MillraceError][] = [];
  drains = 0;
  #end!: (error: MillraceError | undefined) => void;
  readonly ended = new Promise<MillraceError | undefined>((resolve) => (this.#end = resolve));
  #wake: (() => void) | undefined;

  onResponse(response: InferenceResponse): void {
    this.responses.push(response);
    this.#wake?.();
  }
  onRequestError(id: string, error: MillraceError): void {
    this.refused.push([id, error]);
    this.#wake?.();
  }
  onEnd(error: MillraceError | undefined): void {
    this.#end(error);
  }
  onDrain(): void {
    this.drains++;
    this.#wake?.();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
