import { MillraceError } from '../base/errors.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { Infer } from '../ipc/incoming-calls.ts';
import type { Deployment } from './deployment.ts';
import type { HostSlot } from './host-pool.ts';

interface Mirrored {
  readonly deployment: Deployment;
  /** Hosts whose graphs may use it from afar. */
  readonly users: Set<HostSlot>;
  /** Called once no host uses it any more; set once it is retired. */
  onUnused: (() => void) | undefined;
}

/**
 * Models that not every host loads, as the other hosts know them: by name, tensors and number. A graph there runs such a
 * model through the front, on a host that has it. A generation stays loaded until the last of those graphs has let go of it.
 */
export class ModelMirrors {
  readonly #hosts: () => readonly HostSlot[];
  readonly #mirrored = new Map<number, Mirrored>();

  /** @param hosts all that run graphs */
  constructor(hosts: () => readonly HostSlot[]) {
    this.#hosts = hosts;
  }

  /** Tells the hosts that do not load it, and those to come. It was loaded, so that there is something to tell. */
  add(deployment: Deployment): void {
    if (this.#mirrored.has(deployment.loadId)) return;
    const mirrored: Mirrored = { deployment, users: new Set(), onUnused: undefined };
    this.#mirrored.set(deployment.loadId, mirrored);
    for (const slot of this.#hosts()) if (slot.client !== undefined) this.#tell(mirrored, slot, slot.client);
  }

  /** A host came up. Before it is told of graphs. */
  onUp(slot: HostSlot, client: HostClient): void {
    for (const mirrored of this.#mirrored.values()) this.#tell(mirrored, slot, client);
  }

  onDown(slot: HostSlot): void {
    for (const loadId of [...this.#mirrored.keys()]) this.released(slot, loadId);
  }

  /** The host has no use for it any more. */
  released(slot: HostSlot, loadId: number): void {
    const mirrored = this.#mirrored.get(loadId);
    if (mirrored === undefined) return;
    mirrored.users.delete(slot);
    this.#forgetIfUnused(mirrored);
  }

  /**
   * No graph is to begin to use it.
   * @returns settles when none does any more; undefined: none ever did
   */
  retire({ loadId }: Deployment): Promise<void> | undefined {
    const mirrored = this.#mirrored.get(loadId);
    if (mirrored === undefined) return undefined;
    for (const slot of mirrored.users) slot.client?.unload(loadId);
    return new Promise((resolve) => {
      mirrored.onUnused = resolve;
      this.#forgetIfUnused(mirrored);
    });
  }

  /** Runs a model for a graph of another host. @throws MillraceError SERVABLE_NOT_READY, or what the model's host says */
  readonly infer: Infer = async (loadId, request, cancellation) => {
    const deployment = this.#mirrored.get(loadId)?.deployment;
    const host = deployment?.pickForCall();
    if (deployment === undefined || host === undefined) {
      const why = deployment?.reason ?? 'it was unloaded';
      throw new MillraceError(
        'SERVABLE_NOT_READY',
        `model '${request.servable}' is not ready: ${why === '' ? 'no host has it now' : why}`,
        { details: { servable: request.servable } },
      );
    }
    const queued = host.unaryCount + 1;
    const startedAt = performance.now();
    const response = await host.infer(loadId, request, cancellation);
    deployment.answered(performance.now() - startedAt, queued);
    return response;
  };

  #tell({ deployment, users, onUnused }: Mirrored, slot: HostSlot, client: HostClient): void {
    const { spec, loadId, slots, description } = deployment;
    if (onUnused !== undefined || slot.language !== 'javascript' || slots.includes(slot)) return;
    if (description === undefined) return;
    const { inputs, outputs, provider } = description;
    users.add(slot);
    const mirror = { kind: 'remote', name: spec.name, version: spec.version, inputs, outputs, provider };
    // It can only fail with its host, which is heard of by `onDown`.
    client.loadServable(loadId, mirror).catch(() => {});
  }

  #forgetIfUnused({ deployment, users, onUnused }: Mirrored): void {
    if (onUnused === undefined || users.size > 0) return;
    this.#mirrored.delete(deployment.loadId);
    onUnused();
  }
}
