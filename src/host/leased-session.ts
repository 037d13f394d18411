import { MillraceError } from '../base/errors.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import type { QueueUse, ResponseTiming } from '../ipc/session.ts';
import { openedFiles, type SharedFiles } from '../shared-memory/shared-file.ts';
import { readSharedInputs } from '../shared-memory/shared-tensors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { Lease } from './lease.ts';
import type { HostServable } from './servable.ts';

/**
 * A session that keeps its servable loaded until it ends. A class and no object literals with getters: V8 gives each such
 * literal a hidden class of its own, which holds the getter, and with it the session, until a full collection; that makes
 * short sessions cost four times as much.
 */
export class LeasedSession implements HostSession, SessionOutput {
  readonly #lease: Lease<HostServable>;
  readonly #output: SessionOutput;
  readonly #session: HostSession;
  readonly #files: SharedFiles;
  #isHeld = true;

  /** @throws MillraceError when the session cannot start */
  constructor(
    lease: Lease<HostServable>,
    first: InferenceRequest,
    output: SessionOutput,
    open: (servable: HostServable, output: SessionOutput) => HostSession = (servable, own) => servable.open(first, own),
    files: SharedFiles = openedFiles,
  ) {
    this.#files = files;
    this.#lease = lease;
    this.#output = output;
    lease.acquire();
    try {
      this.#session = open(lease.resource, this);
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  push(request: InferenceRequest): void {
    let whole: InferenceRequest;
    try {
      whole = readSharedInputs(request, this.#files);
    } catch (error) {
      this.#output.refuse(request, MillraceError.from(error));
      return;
    }
    this.#session.push(whole);
  }

  halfClose(): void {
    this.#session.halfClose();
  }

  abort(error: MillraceError): void {
    try {
      this.#session.abort(error);
    } finally {
      this.#release();
    }
  }

  onRoom(): void {
    this.#session.onRoom();
  }

  get queueUse(): QueueUse | undefined {
    return this.#session.queueUse;
  }

  respond(response: InferenceResponse, timing?: ResponseTiming): void {
    this.#output.respond(response, timing);
  }

  taken(request: InferenceRequest, packets?: number): void {
    this.#output.taken(request, packets);
  }

  dropped(packets: number, request?: InferenceRequest): void {
    this.#output.dropped(packets, request);
  }

  refuse(request: InferenceRequest, error: MillraceError): void {
    this.#output.refuse(request, error);
  }

  end(error: MillraceError | undefined, comesLast?: boolean): void {
    this.#release();
    this.#output.end(error, comesLast);
  }

  limitLookAhead(messages: number): void {
    this.#output.limitLookAhead?.(messages);
  }

  get isFull(): boolean {
    return this.#output.isFull;
  }

  get maxBytes(): number {
    return this.#output.maxBytes;
  }

  #release(): void {
    if (this.#isHeld) this.#lease.release();
    this.#isHeld = false;
  }
}
