import type { ServableDescription } from '../ipc/description.ts';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import { checkBatch } from '../runtime/check-batch.ts';
import { checkInputs } from '../runtime/check-inputs.ts';
import { BatchingSession } from '../runtime/batching/batching-session.ts';
import type { BackendSession, ModelSession } from '../runtime/model-session.ts';
import { openSequenceSession } from '../runtime/sequences/open-sequence-session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { ConfiguredSession } from './configured-session.ts';
import type { ModelLoad } from './host-spec.ts';
import { callerOf } from './run-caller.ts';
import { RequestTimer } from './request-timer.ts';
import { checkRequestedOutputs, selectOutputs } from './requested-outputs.ts';
import type { HostServable } from './servable.ts';

/**
 * A loaded model as its entry wants it served.
 * @throws MillraceError CONFIG_INVALID where it cannot be; `backend` is then the caller's to close
 */
export async function modelServable(backend: BackendSession, load: ModelLoad): Promise<ModelServable> {
  const { signature, dynamicBatching: batching, sequenceBatching: sequences } = load;
  const maxBatchSize = batching?.maxBatchSize ?? signature?.maxBatchSize ?? 0;
  let session: ModelSession = backend;
  if (sequences !== undefined) {
    session = await openSequenceSession(backend, {
      sequences,
      maxBatchSize,
      batching,
      showsState: signature !== undefined,
    });
  } else if (batching !== undefined && maxBatchSize > 0) {
    session = new BatchingSession(backend, batching, maxBatchSize);
  }
  if (signature === undefined) return new ModelServable(session);
  return new ModelServable(new ConfiguredSession(session, signature), signature.maxBatchSize);
}

/** An ONNX model by itself: each request is one inference. */
export class ModelServable implements HostServable {
  readonly description: ServableDescription;
  readonly session: ModelSession;
  readonly forgetsInputs = true;
  readonly #maxBatchSize: number;

  /** @param maxBatchSize 0: the first dimension of its tensors is no batch */
  constructor(session: ModelSession, maxBatchSize = 0) {
    this.session = session;
    this.#maxBatchSize = maxBatchSize;
    const { inputs, outputs, provider } = session;
    this.description = { platform: 'onnxruntime_onnx', decoupled: false, inputs, outputs, provider };
  }

  async infer(request: InferenceRequest, cancellation: Cancellation, waitedMs = 0): Promise<InferenceResponse> {
    checkBatch(request.servable, this.#maxBatchSize, request.inputs, request.id);
    checkInputs(request.servable, this.session.inputs, request.inputs, request.id, this.#maxBatchSize > 0);
    checkRequestedOutputs(request, this.session.outputs);
    const isWanted = (): boolean => cancellation.error === undefined;
    const outputs = await this.session.run(request.inputs, isWanted, { ...callerOf(request, cancellation), waitedMs });
    if (cancellation.error !== undefined) throw cancellation.error;
    const { name, version } = this.session;
    return { servable: name, version, id: request.id, outputs: selectOutputs(request, outputs) };
  }

  open(_first: InferenceRequest, output: SessionOutput): HostSession {
    return new ModelStream(this, output);
  }

  async close(): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}

/** A session on a model or ensemble: requests are answered one after another, in their order. */
export class ModelStream implements HostSession {
  readonly #servable: Pick<HostServable, 'infer'>;
  readonly #output: SessionOutput;
  readonly #queue: InferenceRequest[] = [];
  readonly #cancellation = new Cancellation();
  #isRunning = false;
  #isHalfClosed = false;
  #isOver = false;

  constructor(servable: Pick<HostServable, 'infer'>, output: SessionOutput) {
    this.#servable = servable;
    this.#output = output;
  }

  push(request: InferenceRequest): void {
    this.#queue.push(request);
    void this.#run();
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    void this.#run();
  }

  abort(error: MillraceError): void {
    this.#isOver = true;
    this.#cancellation.cancel(error);
  }

  onRoom(): void {
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (!this.#isOver && !this.#output.isFull) {
      const request = this.#queue.shift();
      if (request === undefined) break;
      await this.#answer(request);
    }
    this.#isRunning = false;
    if (this.#isHalfClosed && this.#queue.length === 0 && !this.#isOver) {
      this.#isOver = true;
      this.#output.end(undefined);
    }
  }

  async #answer(request: InferenceRequest): Promise<void> {
    const timer = new RequestTimer();
    try {
      const response = await this.#servable.infer(request, this.#cancellation);
      if (this.#isOver) return;
      this.#output.taken(request);
      this.#output.respond(response, timer.responded());
    } catch (error) {
      if (!this.#isOver) this.#output.refuse(request, MillraceError.from(error));
    }
  }
}
