import type { Duplex } from 'node:stream';
import type { Cancellation } from '../../src/base/cancellation.ts';
import { MillraceError } from '../../src/base/errors.ts';
import { fromStream } from '../../src/ipc/connection.ts';
import type { HostHandler, HostSession, SessionOutput } from '../../src/ipc/host-handler.ts';
import { HostServer } from '../../src/ipc/host-server.ts';
import { localLauncher, type Launcher } from '../../src/ipc/launcher.ts';
import { defaultSupervision } from '../../src/ipc/supervisor.ts';
import type { HostPoolOptions } from '../../src/serving/host-pool.ts';
import type { ServableSpec } from '../../src/serving/servable-spec.ts';
import type { InferenceRequest, InferenceResponse } from '../../src/tensor/inference.ts';

/** What the hosts of a test do; a host is named by its number, in the order in which they were started. */
export interface FakeHostScript {
  /** Whether a host never greets. */
  isMute?(host: number): boolean;
  /** Loads a servable: what it returns is told to the front, what it throws is a failure. `end` is the host's death. */
  load?(spec: ServableSpec, host: FakeHost): object | Promise<object>;
  infer?(request: InferenceRequest, cancellation: Cancellation): InferenceResponse | Promise<InferenceResponse>;
  open?(output: SessionOutput): HostSession;
}

/** A host in this process which does what its script says. */
export class FakeHost implements HostHandler {
  readonly number: number;
  /** "LOAD name", "MIRROR name" of a model that another host has, and "UNLOAD name", in the order in which they came. */
  readonly log: string[] = [];
  /** Its way to the front; undefined of a mute one. */
  server: HostServer | undefined;
  readonly #script: FakeHostScript;
  readonly #stream: Duplex;
  readonly #names = new Map<number, string>();
  #loading: Promise<unknown> = Promise.resolve();

  constructor(number: number, script: FakeHostScript, stream: Duplex) {
    this.number = number;
    this.#script = script;
    this.#stream = stream;
  }

  /** Its connection is closed. */
  get hasEnded(): boolean {
    return this.#stream.destroyed;
  }

  /** Dies at once. */
  end(): void {
    this.#stream.destroy();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  load(loadId: number, spec: unknown): Promise<object> {
    const loading = this.#loading.then(() => this.#load(loadId, spec as ServableSpec));
    this.#loading = loading.catch(() => {});
    return loading;
  }

  unload(loadId: number): void {
    this.log.push(`UNLOAD ${this.#names.get(loadId)}`);
  }

  async infer(_loadId: number, request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    const { servable, id } = request;
    return (await this.#script.infer?.(request, cancellation)) ?? { servable, version: '1', id, outputs: [] };
  }

  open(_loadId: number, _first: InferenceRequest, output: SessionOutput): HostSession {
    if (this.#script.open === undefined) throw new MillraceError('NOT_SUPPORTED', 'the script has no sessions');
    return this.#script.open(output);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  async #load(loadId: number, spec: ServableSpec): Promise<object> {
    this.#names.set(loadId, spec.name);
    const { kind } = spec as { kind: string };
    this.log.push(`${kind === 'remote' ? 'MIRROR' : 'LOAD'} ${spec.name}`);
    return (await this.#script.load?.(spec, this)) ?? descriptionOf();
  }
}

/** What a host says of a servable without inputs and outputs. */
export const descriptionOf = (more: object = {}): object => ({
  platform: 'fake',
  decoupled: false,
  inputs: [],
  outputs: [],
  ...more,
});

/** Pool options whose hosts follow `script`; `hosts` fills as they start. */
export function fakeHosts(script: FakeHostScript, shared = 1): { options: HostPoolOptions; hosts: FakeHost[] } {
  const hosts: FakeHost[] = [];
  const launch: Launcher = localLauncher((stream) => {
    const host = new FakeHost(hosts.length, script, stream);
    hosts.push(host);
    if (script.isMute?.(host.number) !== true)
      host.server = new HostServer(fromStream(stream), host, { onFault: () => {}, onClose: () => {} });
  });
  const supervision = {
    ...defaultSupervision,
    backOffMs: 1,
    maxBackOffMs: 1,
    settings: {},
    limits: { maxMessages: 8, maxBytes: 1e6 },
    maxSilenceMs: 20_000,
  };
  return { options: { shared, launch, supervision }, hosts };
}
