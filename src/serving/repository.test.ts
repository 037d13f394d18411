import { describe, expect, it } from 'vitest';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { descriptionOf, fakeHosts, type FakeHost, type FakeHostScript } from '../../test/support/fake-host.ts';
import { graphSpec, modelSpec, runtimeSpec } from '../../test/support/specs.ts';
import { ModelRepository } from './repository.ts';
import type { ServableSpec } from './servable-spec.ts';

const aRequest = { servable: 'r', version: '', id: '', inputs: [], outputs: [] };
const graph = (name: string, fingerprint = 'a'): ServableSpec => graphSpec(name, { fingerprint });
const model = (name: string, fingerprint = 'a'): ServableSpec => modelSpec(name, { fingerprint });

interface Started extends AsyncDisposable {
  readonly repository: ModelRepository;
  readonly hosts: readonly FakeHost[];
  /** Applies and waits until all have settled. @returns whether anything changed */
  serve(...specs: ServableSpec[]): Promise<boolean>;
  /** "ready", or the state and its reason. */
  state(name: string): string;
}

function start(script: FakeHostScript, shared = 1): Started {
  const { options, hosts } = fakeHosts(script, shared);
  const repository = new ModelRepository(
    options,
    {
      onRun: () => {},
      onReady: () => {},
      onMetrics: () => {},
      onSequences: () => {},
      onHostLost: () => {},
      onRemoved: () => {},
    },
    silentLogger,
  );
  return {
    repository,
    hosts,
    serve: async (...specs) => {
      const hasChanged = repository.apply({ specs, broken: [], files: [], warnings: [] });
      await repository.settled();
      return hasChanged;
    },
    state: (name) => {
      const entry = repository.entries().find((candidate) => candidate.name === name);
      if (entry === undefined) return 'none';
      const { state, reason } = repository.status(entry);
      return reason === '' ? state : `${state}: ${reason}`;
    },
    [Symbol.asyncDispose]: () => repository[Symbol.asyncDispose](),
  };
}

const fails = (): never => {
  throw new MillraceError('MODEL_INVALID', 'damaged');
};

describe('hosts that end', () => {
  it('one that ends before it greets keeps no other from serving', async () => {
    await using started = start({ isMute: (host) => host > 0 }, 2);
    const served = started.serve(graph('g'));
    await expect.poll(() => started.repository.entries()[0]?.next?.isReady).toBe(true);
    started.hosts[1]?.end();
    await served;
    expect(started.state('g')).toBe('ready');
  });

  it('an own host that ends while a new generation loads leaves the old one serving', async () => {
    const runtime = (fingerprint: string): ServableSpec => runtimeSpec('r', { fingerprint });
    await using started = start({
      load: (spec, host) => {
        if (spec.fingerprint === 'b') host.end();
        return descriptionOf();
      },
    });
    await started.serve(runtime('a'));
    await started.serve(runtime('b'));
    expect(started.state('r')).toMatch(/^ready: while it was being loaded.*, 2 times in a row/);
    expect(started.repository.resolve('r', '').current?.spec.fingerprint).toBe('a');
  });

  it('what ends its host twice while it loads is given up, and all others serve', async () => {
    await using started = start({
      load: (spec, host) => {
        if (spec.name === 'killer') host.end();
        return descriptionOf();
      },
    });
    await started.serve(graph('before'), graph('killer'), graph('later'));
    expect(started.state('later')).toBe('ready');
    expect(started.state('before')).toBe('ready');
    expect(started.state('killer')).toBe(
      'unavailable: while it was being loaded, its host process ended unexpectedly, 2 times in a row; ' +
        'it is not loaded again until its files or entry change',
    );
    expect(started.hosts).toHaveLength(3);
    expect(started.hosts[2]?.log).toEqual(['LOAD before', 'LOAD later']);

    expect(await started.serve(graph('before'), graph('killer'), graph('later'))).toBe(false);
    expect(started.hosts).toHaveLength(3);
  });

  it('one that ends while it loads and then does not is served', async () => {
    await using started = start({
      load: (_spec, host) => {
        if (host.number === 0) host.end();
        return descriptionOf();
      },
    });
    await started.serve(graph('g'));
    expect(started.state('g')).toBe('ready');
  });

  it('one that ends before it greets is waited for, but not one that does so over and over', async () => {
    await using started = start({ isMute: (host) => host === 0 || host > 1 });
    const served = started.serve(graph('g'));
    started.hosts[0]?.end();
    await served;
    expect(started.state('g')).toBe('ready');

    const ends = setInterval(() => started.hosts.at(-1)?.end(), 1);
    started.hosts[1]?.end();
    await started.serve(graph('h'));
    clearInterval(ends);
    expect(started.state('h')).toBe('unavailable: its host process ended unexpectedly (closed)');
  });

  it('a repository that closes is waited for no longer', async () => {
    await using started = start({ isMute: () => true });
    const served = started.serve(graph('g'));
    const closed = started.repository[Symbol.asyncDispose]();
    await served;
    started.hosts[0]?.end();
    await closed;
  });
});

describe('loads that fail', () => {
  it('are tried again at the next reload, and are then a change', async () => {
    let isDamaged = true;
    await using started = start({ load: () => (isDamaged ? fails() : descriptionOf()) });
    await started.serve(model('m'));
    expect(started.state('m')).toBe('unavailable: damaged');
    isDamaged = false;
    expect(await started.serve(model('m'))).toBe(true);
    expect(started.state('m')).toBe('ready');
    expect(await started.serve(model('m'))).toBe(false);
  });

  it('of a new generation leave the old one serving, with the reason', async () => {
    await using started = start({ load: (spec) => (spec.fingerprint === 'b' ? fails() : descriptionOf()) });
    await started.serve(model('m'));
    await started.serve(model('m', 'b'));
    expect(started.state('m')).toBe('ready: damaged');
    expect(await started.serve(model('m'))).toBe(true);
    expect(started.state('m')).toBe('ready');
  });
});

describe('graphs that use a model', () => {
  /** The graph `g` says what its model `m` was when it was loaded. */
  const script = (): FakeHostScript => {
    let present = 'none';
    return {
      load: (spec) => {
        if (spec.kind === 'model') present = spec.fingerprint;
        return spec.kind === 'graph' ? descriptionOf({ platform: `of ${present}`, models: ['m'] }) : descriptionOf();
      },
    };
  };
  const described = ({ repository }: Started): string | undefined =>
    repository.resolve('g', '').current?.description?.platform;

  it('are described anew when it changes, appears or goes', async () => {
    await using started = start(script());
    await started.serve(graph('g'));
    expect(described(started)).toBe('of none');
    await started.serve(graph('g'), model('m', 'a'));
    await started.serve(graph('g'), model('m', 'a'));
    expect(described(started)).toBe('of a');
    await started.serve(graph('g'), model('m', 'b'));
    expect(described(started)).toBe('of b');
    const loads = started.hosts[0]?.log.filter((line) => line === 'LOAD g').length ?? 0;
    await started.serve(graph('g'));
    expect(started.hosts[0]?.log.filter((line) => line === 'LOAD g')).toHaveLength(loads + 1);
  });

  it('are loaded once where both are new, and not for another model', async () => {
    await using started = start(script());
    await started.serve(graph('g'), model('m'));
    await started.serve(graph('g'), model('m'), model('n'));
    expect(started.hosts[0]?.log.filter((line) => line === 'LOAD g')).toHaveLength(1);
  });
});

describe('hosts of runtimes', () => {
  const hostsOf = (started: Started, name: string): FakeHost[] =>
    started.hosts.filter(({ log }) => log.includes(`LOAD ${name}`));
  const pick = (started: Started, name: string) => started.repository.resolve(name, '').current?.pickForCall();

  it('has as many as it asks for, each loads it, and the least busy one gets the next call', async () => {
    await using started = start({ infer: () => new Promise(() => {}) });
    await started.serve(runtimeSpec('r', { instances: 3 }));
    expect(hostsOf(started, 'r')).toHaveLength(3);
    const { loadId = 0 } = started.repository.resolve('r', '').current ?? {};
    const clients = [1, 2, 3, 4].map(() => {
      const client = pick(started, 'r');
      void client?.infer(loadId, aRequest, new Cancellation()).catch(() => {});
      return client;
    });
    expect(new Set(clients.slice(0, 3)).size).toBe(3);
    expect(clients.map((client) => client?.unaryCount ?? 0).toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2]);
  });

  it('serves on while one of them is lost, and is loaded again where that was', async () => {
    await using started = start({});
    await started.serve(runtimeSpec('r', { instances: 2 }));
    hostsOf(started, 'r')[0]?.end();
    await expect.poll(() => pick(started, 'r')).toBeDefined();
    expect(started.state('r')).toBe('ready');
    await expect.poll(() => hostsOf(started, 'r').length).toBe(3);
    expect(started.state('r')).toBe('ready');
  });

  it('shares them with those of its group and language, and ends them with the last', async () => {
    await using started = start({});
    const member = (name: string, more: object = {}) => runtimeSpec(name, { hostGroup: 'g', ...more });
    await started.serve(
      member('a'),
      member('b', { instances: 2 }),
      member('p', { language: 'python' }),
      runtimeSpec('c'),
    );
    expect(hostsOf(started, 'b')).toHaveLength(2);
    expect(hostsOf(started, 'b')[0]).toBe(hostsOf(started, 'a')[0]);
    for (const other of ['p', 'c']) expect(hostsOf(started, other)[0]?.log).toEqual([`LOAD ${other}`]);
    const [first, second] = hostsOf(started, 'b');
    await started.serve(member('b', { instances: 2 }));
    await expect.poll(() => first?.log).toContain('UNLOAD a');
    expect([pick(started, 'b')?.isLost, first?.hasEnded, second?.hasEnded]).toEqual([false, false, false]);
    await started.serve();
    await expect.poll(() => [first?.hasEnded, second?.hasEnded]).toEqual([true, true]);
  });
});
