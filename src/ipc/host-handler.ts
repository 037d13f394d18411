import type { Cancellation } from '../base/cancellation.ts';
import type { MillraceError } from '../base/errors.ts';
import type { LogSettings } from '../base/logger.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { QueueUse, ResponseTiming } from './session.ts';

/** A session as the host that runs it sees it. */
export interface HostSession {
  /** Calls one of `output.taken`, `output.refuse` and `output.dropped` once, in time. */
  push(request: InferenceRequest): void;
  halfClose(): void;
  /** Ends without further output; `output.end` is not awaited any more. */
  abort(error: MillraceError): void;
  /** The output has room again after `output.isFull`. */
  onRoom(): void;
  /** What waits in it, where it counts that. */
  readonly queueUse?: QueueUse | undefined;
}

/** What a session in a host may say to the front. */
export interface SessionOutput {
  /**
   * Sends, or keeps until the front gives credit.
   * @param timing undefined where it answers no single request
   */
  respond(response: InferenceResponse, timing?: ResponseTiming): void;
  /**
   * The request was taken and no longer counts against the session's credit.
   * @param packets that it became; its inputs where not said
   */
  taken(request: InferenceRequest, packets?: number): void;
  /**
   * Packets that newer ones took the place of.
   * @param request whose packets they are all, nothing of it taken; undefined: packets of requests that were taken
   */
  dropped(packets: number, request?: InferenceRequest): void;
  /** The request was refused, nothing of it taken; the session lives on. */
  refuse(request: InferenceRequest, error: MillraceError): void;
  /**
   * The last call.
   * @param comesLast after the responses that wait for credit: a good end does so, a fault overtakes them unless told otherwise
   */
  end(error: MillraceError | undefined, comesLast?: boolean): void;
  /** Responses wait for credit: stop producing until `onRoom`. */
  readonly isFull: boolean;
  /**
   * Of a session whose source makes responses at its own pace: how many may be under way before it is known how fast they
   * are read, and again after the reader was slow. While they are read at once, the number grows to the session's credit.
   */
  limitLookAhead?(messages: number): void;
  /** What a session may hold, in bytes. */
  readonly maxBytes: number;
}

/** What a host does; the protocol is not its concern. */
export interface HostHandler {
  start(settings: object): Promise<void>;
  /**
   * Loads begin one after another: the next one when the one before was answered, or is a runtime's that takes long.
   * @returns what the front should know of the servable, as JSON
   */
  load(loadId: number, spec: unknown): Promise<object>;
  unload(loadId: number): void;
  /** What is logged from now on. */
  setLog?(settings: LogSettings): void;
  /** @param waitedMs how long the request was under way */
  infer(
    loadId: number,
    request: InferenceRequest,
    cancellation: Cancellation,
    waitedMs: number,
  ): Promise<InferenceResponse>;
  /** @throws MillraceError when the session cannot be opened */
  open(loadId: number, first: InferenceRequest, output: SessionOutput): HostSession;
  /**
   * Starts a video pipeline on the servable; requests of its session are commands.
   * @throws MillraceError when it cannot be started
   */
  openPipeline?(loadId: number, first: InferenceRequest, output: SessionOutput): HostSession;
  /** The front went away: everything ends. */
  stop(): Promise<void>;
}
