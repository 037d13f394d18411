import { MillraceError } from '../base/errors.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import type { Infer } from '../ipc/incoming-calls.ts';
import type { Deployment } from './deployment.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import type { HostSlot } from './host-pool.ts';
import type { ServableSpec } from './servable-spec.ts';
import { StepSession } from './step-session.ts';

interface Mirrored {
  /** How the hosts know it. */
  readonly id: number;
  readonly deployment: Deployment;
  /** Hosts whose graphs may use it from afar. */
  readonly users: Set<HostSlot>;
  /** Called once no host uses it any more; set once it is retired. */
  onUnused: (() => void) | undefined;
}

/**
 * Models that not every host loads, as the other hosts know them: by name, tensors and number. A graph there runs such a
 * model through the front, on a host that has it. Graphs and runtimes that are steps of ensembles are known so to all hosts. A
 * generation stays loaded until the last of those graphs has let go of it.
 */
export class ModelMirrors {
  readonly #hosts: () => readonly HostSlot[];
  readonly #mirrored = new Map<number, Mirrored>();

  readonly #onStep: (loadId: number, ns: number) => void;

  /**
   * @param hosts all that run graphs
   * @param onStep a graph or runtime, by its load, has answered a step of an ensemble
   */
  constructor(hosts: () => readonly HostSlot[], onStep: (loadId: number, ns: number) => void) {
    this.#hosts = hosts;
    this.#onStep = onStep;
  }

  /**
   * Tells the hosts that do not load it, and those to come. It was loaded, so that there is something to tell.
   * @param newId of what a host may have itself beside: another number
   */
  add(deployment: Deployment, newId: () => number = () => deployment.loadId): void {
    if (this.#of(deployment) !== undefined) return;
    const mirrored: Mirrored = { id: newId(), deployment, users: new Set(), onUnused: undefined };
    this.#mirrored.set(mirrored.id, mirrored);
    for (const slot of this.#hosts()) if (slot.client !== undefined) this.#tell(mirrored, slot, slot.client);
  }

  /** A host came up. Before it is told of graphs. */
  onUp(slot: HostSlot, client: HostClient): void {
    for (const mirrored of this.#mirrored.values()) this.#tell(mirrored, slot, client);
  }

  onDown(slot: HostSlot): void {
    for (const id of [...this.#mirrored.keys()]) this.released(slot, id);
  }

  /** The host has no use for it any more. */
  released(slot: HostSlot, id: number): void {
    const mirrored = this.#mirrored.get(id);
    if (mirrored === undefined) return;
    mirrored.users.delete(slot);
    this.#forgetIfUnused(mirrored);
  }

  /**
   * No graph is to begin to use it.
   * @returns settles when none does any more; undefined: none ever did
   */
  retire(deployment: Deployment): Promise<void> | undefined {
    const mirrored = this.#of(deployment);
    if (mirrored === undefined) return undefined;
    for (const slot of mirrored.users) slot.client?.unload(mirrored.id);
    return new Promise((resolve) => {
      mirrored.onUnused = resolve;
      this.#forgetIfUnused(mirrored);
    });
  }

  /** Runs a model for a graph of another host. @throws MillraceError SERVABLE_NOT_READY, or what the model's host says */
  readonly infer: Infer = async (id, request, cancellation) => {
    const deployment = this.#mirrored.get(id)?.deployment;
    const host = deployment?.pickForCall();
    if (deployment === undefined || host === undefined) throw notReady(request.servable, deployment);
    // Whose call it is, is not said; other graphs of hosts with pipelines are no reason to wait for ever either.
    const isForPipelines = this.#hosts().some(({ client }) => (client?.pipelineCount ?? 0) > 0);
    using _call = isForPipelines ? host.countPipelineCall() : undefined;
    const queued = host.unaryCount + 1;
    const startedAt = performance.now();
    const isModel = deployment.spec.kind === 'model';
    const response = await (isModel
      ? host.infer(id, request, cancellation)
      : deployment.infer(host, request, cancellation));
    const tookMs = performance.now() - startedAt;
    deployment.answered(tookMs, queued);
    if (!isModel) this.#onStep(deployment.loadId, Math.round(tookMs * 1e6));
    return response;
  };

  /** Opens a step that answers more than once, for an ensemble of another host. @throws MillraceError SERVABLE_NOT_READY */
  open(id: number, first: InferenceRequest, output: SessionOutput): HostSession {
    const deployment = this.#mirrored.get(id)?.deployment;
    const host = deployment?.pickForSession();
    if (deployment === undefined || host === undefined) throw notReady(first.servable, deployment);
    const { loadId, spec } = deployment;
    const startedAt = performance.now();
    return new StepSession(
      output,
      (sink) => host.openSession(loadId, first, sink, spec.kind === 'runtime'),
      () => this.#onStep(loadId, Math.round((performance.now() - startedAt) * 1e6)),
    );
  }

  #of(deployment: Deployment): Mirrored | undefined {
    for (const mirrored of this.#mirrored.values()) if (mirrored.deployment === deployment) return mirrored;
    return undefined;
  }

  #tell({ id, deployment, users, onUnused }: Mirrored, slot: HostSlot, client: HostClient): void {
    const { spec, slots, description } = deployment;
    const isStep = spec.kind !== 'model';
    if (onUnused !== undefined || slot.language !== 'javascript' || (!isStep && slots.includes(slot))) return;
    if (description === undefined) return;
    const { inputs, outputs, provider, decoupled } = description;
    users.add(slot);
    const step = isStep ? { kind: spec.kind, decoupled: decoupled || isToldDecoupled(spec) } : undefined;
    const mirror = { kind: 'remote', name: spec.name, version: spec.version, inputs, outputs, provider, step };
    // It can only fail with its host, which is heard of by `onDown`.
    client.loadServable(id, mirror).catch(() => {});
  }

  #forgetIfUnused({ id, users, onUnused }: Mirrored): void {
    if (onUnused === undefined || users.size > 0) return;
    this.#mirrored.delete(id);
    onUnused();
  }
}

function notReady(servable: string, deployment: Deployment | undefined): MillraceError {
  const why = deployment?.reason ?? 'it was unloaded';
  return new MillraceError(
    'SERVABLE_NOT_READY',
    `model '${servable}' is not ready: ${why === '' ? 'no host has it now' : why}`,
    { details: { servable } },
  );
}

/** A graph may answer a request any number of times; only its configuration says whether it does. */
function isToldDecoupled({ kind, config }: ServableSpec): boolean {
  const told = config as { readonly model_transaction_policy?: { readonly decoupled?: boolean } } | undefined;
  return kind === 'graph' && told?.model_transaction_policy?.decoupled === true;
}
