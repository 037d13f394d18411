import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { RequestTimer } from '../request-timer.ts';

/** Requests of one session that are under way; the others wait. */
const MAX_REQUESTS = 8;

/** An ensemble that may answer a request any number of times. */
export interface ManyAnswers {
  /** @param respond the next response is made when it has settled */
  stream(
    request: InferenceRequest,
    cancellation: Cancellation,
    respond: (response: InferenceResponse) => Promise<void>,
  ): Promise<void>;
  /** A response without outputs, that says that there are no more; Triton's has no version. */
  final(request: InferenceRequest): InferenceResponse;
}

/** A session on such an ensemble: its requests run side by side, a failed one is told and the session goes on. */
export class EnsembleStream implements HostSession {
  readonly #ensemble: ManyAnswers;
  readonly #output: SessionOutput;
  readonly #cancellation = new Cancellation();
  readonly #waiting: InferenceRequest[] = [];
  #underWay = 0;
  #isHalfClosed = false;
  #isOver = false;
  #forRoom: (() => void)[] = [];

  constructor(ensemble: ManyAnswers, output: SessionOutput) {
    this.#ensemble = ensemble;
    this.#output = output;
  }

  push(request: InferenceRequest): void {
    this.#waiting.push(request);
    this.#next();
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#next();
  }

  abort(error: MillraceError): void {
    this.#isOver = true;
    this.#cancellation.cancel(error);
    this.onRoom();
  }

  onRoom(): void {
    const forRoom = this.#forRoom;
    this.#forRoom = [];
    for (const go of forRoom) go();
  }

  #next(): void {
    while (!this.#isOver && this.#underWay < MAX_REQUESTS) {
      const request = this.#waiting.shift();
      if (request === undefined) break;
      this.#underWay++;
      void this.#answer(request).finally(() => {
        this.#underWay--;
        this.#next();
      });
    }
    if (this.#isOver || !this.#isHalfClosed || this.#underWay > 0 || this.#waiting.length > 0) return;
    this.#isOver = true;
    this.#output.end(undefined);
  }

  async #answer(request: InferenceRequest): Promise<void> {
    const timer = new RequestTimer();
    try {
      await this.#ensemble.stream(request, this.#cancellation, async (response) => {
        while (!this.#isOver && this.#output.isFull) await new Promise<void>((go) => this.#forRoom.push(go));
        if (!this.#isOver) this.#output.respond(response, timer.responded());
      });
      if (this.#isOver) return;
      const isAsked = request.parameters?.['triton_enable_empty_final_response'] === true;
      if (isAsked) this.#output.respond(this.#ensemble.final(request));
      this.#output.taken(request);
    } catch (error) {
      if (!this.#isOver) this.#output.refuse(request, MillraceError.from(error));
    }
  }
}
