import { duplexPair } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { Connection, fromStream } from './connection.ts';
import { MESSAGE } from './frame.ts';
import type { HostClient } from './host-client.ts';
import type { LaunchedHost, Launcher } from './launcher.ts';
import { Supervisor } from './supervisor.ts';

const OPTIONS = {
  name: 'test',
  settings: {},
  limits: { maxMessages: 8, maxBytes: 1e6 },
  maxSilenceMs: 5000,
  maxStartMs: 60_000,
  deadlineGraceMs: 0,
  maxPipelineRunMs: 10_000,
  backOffMs: 1,
  maxBackOffMs: 1,
};

/** A host of which only the connection is there: it says what the test has it say. */
class SilentHost {
  readonly #questions = new Map<number, number>();
  readonly connection: Connection;
  readonly launched: LaunchedHost;
  killed = 0;

  /** @param greets by itself */
  constructor(greets = false) {
    const [near, far] = duplexPair();
    this.connection = new Connection(
      fromStream(far),
      (type, channel) => {
        this.#questions.set(type, channel);
        if (greets && type === MESSAGE.HELLO) this.answer(MESSAGE.WELCOME);
      },
      () => {},
    );
    const ended = new Promise<string>((resolve) => far.once('close', () => resolve('closed')));
    const kill = (): void => {
      this.killed++;
      far.destroy();
    };
    this.launched = { stream: near, pid: 1, kill, ended };
  }

  /** Answers the last HELLO or LOAD. */
  answer(type: typeof MESSAGE.WELCOME | typeof MESSAGE.LOADED): void {
    const channel = this.#questions.get(type === MESSAGE.WELCOME ? MESSAGE.HELLO : MESSAGE.LOAD);
    this.connection.send(type, channel as number, (writer) => writer.string('{}'));
  }

  runStarted(deadlineMs: number, thread = 0): void {
    this.connection.send(MESSAGE.RUN_STARTED, 0, (writer) => {
      writer.varint(deadlineMs);
      writer.varint(thread);
    });
    this.connection.flush();
  }

  /** @param inferences 0: it was a load */
  runEnded(inferences = 1, thread = 0): void {
    this.connection.send(MESSAGE.RUN_ENDED, 0, (writer) => {
      for (const value of [0, inferences, inferences, 0, 0, 0, 0, thread]) writer.varint(value);
    });
    this.connection.flush();
  }
}

let supervisor: Supervisor | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await supervisor?.close(0);
});

const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 20_000 });

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** Starts a supervisor; `reasons` are those for which hosts were lost. */
function supervise(launch: Launcher): { up: Promise<HostClient>; clients: HostClient[]; reasons: string[] } {
  const reasons: string[] = [];
  const clients: HostClient[] = [];
  const up = new Promise<HostClient>((first) => {
    const onUp = (client: HostClient): void => {
      clients.push(client);
      first(client);
    };
    const events = { onUp, onDown: (reason: string) => void reasons.push(reason), onRun() {} };
    supervisor = new Supervisor(launch, OPTIONS, events, silentLogger);
    supervisor.start();
  });
  return { up, clients, reasons };
}

test('a host that cannot be launched is tried again', async () => {
  const host = new SilentHost(true);
  let tries = 0;
  const { up } = supervise(() => {
    if (++tries < 3) throw new Error('too many open files');
    return host.launched;
  });
  await up;
  expect(tries).toBe(3);
});

test('a host may start and load for longer than it may be silent afterwards, though not for ever', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const hosts: SilentHost[] = [];
  const { up, reasons } = supervise(() => {
    const host = new SilentHost();
    hosts.push(host);
    return host.launched;
  });
  const [host] = hosts as [SilentHost];
  await turns();
  vi.advanceTimersByTime(55_000);
  host.answer(MESSAGE.WELCOME);
  const client = await up;
  const load = client.loadServable(1, {});
  await turns();
  vi.advanceTimersByTime(55_000);
  host.answer(MESSAGE.LOADED);
  await load;
  expect(host.killed).toBe(0);
  vi.advanceTimersByTime(7000);
  await eventually(() => reasons).toEqual(['its host was silent for 5 s outside a model run']);

  await eventually(() => hosts.length).toBe(2);
  vi.advanceTimersByTime(62_000);
  await eventually(() => reasons[1]).toBe('its host was silent for 60 s while it started or loaded');
});

test('a run whose end came in while the front stalled costs no host; one past its deadline does', async () => {
  const host = new SilentHost(true);
  const { up, reasons } = supervise(() => host.launched);
  await up;
  host.runStarted(10);
  await turns();
  // In the socket by now, as it were: it is read after the timers that are due.
  setImmediate(() => host.runEnded());
  const until = performance.now() + 20;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await turns();
  expect(host.killed).toBe(0);
  host.runStarted(10);
  await eventually(() => reasons[0]).toBe('a model run passed its deadline of 10 ms and its host was killed');
});

test('a run without a deadline costs its host where pipelines run in it, and not before its time', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const hosts: SilentHost[] = [];
  const { up, reasons } = supervise(() => {
    const host = new SilentHost(true);
    hosts.push(host);
    return host.launched;
  });
  const client = await up;
  const [host] = hosts as [SilentHost];
  const runFor = async (ms: number): Promise<void> => {
    host.runStarted(0);
    await turns();
    vi.advanceTimersByTime(ms);
    host.runEnded();
    await turns();
  };
  await runFor(100_000); // no pipeline: no limit
  host.runEnded(0);
  const sink = { onResponse() {}, onRequestError() {}, onEnd() {}, onDrain() {} };
  const first = { servable: 'm', version: '', id: '', inputs: [], outputs: [] };
  const pipeline = client.openPipeline(1, first, sink);
  await runFor(9_000);
  const load = client.loadServable(2, {});
  host.runStarted(0);
  await turns();
  vi.advanceTimersByTime(100_000); // a load has no limit
  host.answer(MESSAGE.LOADED);
  await load;
  host.runEnded(0);
  await turns();
  await runFor(55_000); // the first after a load
  expect(host.killed).toBe(0);
  pipeline.abort(new MillraceError('CANCELLED', 'enough'));
  await runFor(100_000);
  expect(host.killed).toBe(0);
  client.openPipeline(1, first, sink);
  host.runStarted(0);
  await turns();
  vi.advanceTimersByTime(12_000);
  await eventually(() => reasons[0]).toBe(
    'a model run took longer than 10000 ms in a host with video pipelines (pipeline_run_deadline_ms) and its host was killed',
  );
});

test('a run on a thread of its own is told of when it has passed its deadline', async () => {
  const host = new SilentHost(true);
  let tries = 0;
  const { up, reasons } = supervise(() => (tries++ === 0 ? host : new SilentHost(true)).launched);
  await up;
  host.runEnded(1, 1);
  host.runStarted(0, 1);
  host.runEnded(1, 1);
  await turns();
  expect(host.killed).toBe(0);
  host.runStarted(10, 1);
  await eventually(() => reasons[0]).toBe('a model run passed its deadline of 10 ms and its host was killed');
});

test('a run on a thread of its own is no reason for silence, and a long one costs its host where pipelines run in it', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const hosts: SilentHost[] = [];
  const { up, clients, reasons } = supervise(() => {
    const host = new SilentHost(true);
    hosts.push(host);
    return host.launched;
  });
  await up;
  hosts[0]?.runStarted(0, 1);
  await turns();
  vi.advanceTimersByTime(7000);
  await eventually(() => reasons).toEqual(['its host was silent for 5 s outside a model run']);

  await eventually(() => hosts.length).toBe(2);
  const [, host] = hosts as [SilentHost, SilentHost];
  await eventually(() => clients.length).toBe(2);
  const sink = { onResponse() {}, onRequestError() {}, onEnd() {}, onDrain() {} };
  clients[1]?.openPipeline(1, { servable: 'm', version: '', id: '', inputs: [], outputs: [] }, sink);
  const live = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1000) {
      host.connection.send(MESSAGE.PONG, 0);
      host.connection.flush();
      await turns();
      vi.advanceTimersByTime(1000);
    }
  };
  host.runEnded(1, 1);
  await live(20_000);
  host.runStarted(0, 1);
  await live(8000);
  expect(reasons).toHaveLength(1);
  await live(5000);
  await eventually(() => reasons[1]).toMatch(/^a model run took longer than 10000 ms in a host with video pipelines/);
});
