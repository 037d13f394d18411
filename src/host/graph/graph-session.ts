import { MillraceError } from '../../base/errors.ts';
import { Timestamp, type GraphRun } from '../../graph/index.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { QueueUse } from '../../ipc/session.ts';
import type { Image } from '../../media/image.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { FixedSidePackets } from './fixed-side-packets.ts';
import { runFault } from './graph-faults.ts';
import {
  createRun,
  faultOfPackets,
  packetsOf,
  pushPackets,
  responseOf,
  startRun,
  type GraphProgram,
} from './graph-program.ts';
import { checkEncodings, decodePackets, encodeResponse, encodingOf, isEncoded } from './image-packets.ts';
import { isWorkedOff } from './newest-path.ts';
import type { Form } from './ports.ts';
import { ResponseOrder } from './response-order.ts';
import { SessionClock } from './session-clock.ts';
import { TakenRequests } from './taken-requests.ts';
import { WaitingRequests, type WaitingRequest } from './waiting-requests.ts';

/** Response parameter, int64: packets that newer ones took the place of since the response before. */
const DROPPED_PARAMETER = 'millrace_dropped';

/** One live graph for the life of a stream: requests become packets, output packets become responses as they appear. */
export class GraphSession implements HostSession {
  readonly #program: GraphProgram;
  readonly #output: SessionOutput;
  readonly #run: GraphRun;
  readonly #clock: SessionClock;
  readonly #taken: TakenRequests;
  readonly #sidePackets: FixedSidePackets;
  /** What responses ask for that answer no request that is known. */
  readonly #firstOutputs: Pick<InferenceRequest, 'outputs'>;
  readonly #responses: ResponseOrder;
  /** For room in the graph; credits bound them. */
  readonly #waiting: WaitingRequests = new WaitingRequests();
  /** Pushed so far, refused ones included. */
  #requests = 0;
  /** Packets, since the last response. */
  #dropped = 0;
  /** In the graph, as far as it is told. */
  #droppedInGraph = 0;
  #isWaitingForRoom = false;
  #isDecoding = false;
  /** The graph works on what it was given: inputs of which the newest packet wins are held back. */
  #isBusy = false;
  #busyUntil: bigint = Timestamp.Unset;
  #isWaitingForRest = false;
  #willAskForRest = false;
  #isHalfClosed = false;
  /** The graph refused a packet: what it was given before drains, then this ends the session. */
  #fault: MillraceError | undefined;
  /** An image that could not be encoded: no response comes after it. */
  #imageFault: MillraceError | undefined;
  #isOver = false;

  /** @throws MillraceError when the graph cannot start */
  constructor(program: GraphProgram, first: InferenceRequest, output: SessionOutput) {
    this.#program = program;
    this.#output = output;
    this.#clock = new SessionClock(program.automaticTimestamps);
    this.#sidePackets = new FixedSidePackets(program.graph, first.parameters);
    this.#firstOutputs = { outputs: first.outputs };
    this.#responses = new ResponseOrder(
      (error) => {
        this.#imageFault = MillraceError.from(error);
        this.#run.cancel(this.#imageFault);
      },
      () => this.onRoom(),
    );
    const parameters = {
      first: first.parameters,
      at: (timestamp: bigint) => this.#taken.find(timestamp)?.parameters,
    };
    const { run, release } = createRun(program, parameters, {
      maxQueueBytes: output.maxBytes,
      trace: program.traces?.begin(),
      // A graph with sources may never be idle, and a request may bring no output.
      onCall: program.newestInputs.size === 0 ? undefined : () => this.#askForRest(),
    });
    this.#run = run;
    this.#taken = new TakenRequests(run, program.outputs, program.quota.maxInFlightRequests);
    try {
      for (const port of program.outputs) {
        run.observe(port.name, (packet) => this.#respond(port, packet.value, packet.timestamp));
      }
      run.onError((error) => this.#end(runFault(error)));
      startRun(run, first.parameters);
    } catch (error) {
      this.#isOver = true; // the caller reports it, not the cancelled run
      run.cancel();
      release();
      throw error;
    }
    run
      .waitUntilDone()
      .then(
        () => this.#end(this.#fault, true),
        (error: unknown) => this.#end(runFault(error)),
      )
      .finally(release);
  }

  /** All of the request's packets, or none: a fault is reported and moves nothing. */
  push(request: InferenceRequest): void {
    if (this.#isOver || this.#fault !== undefined) return;
    const index = this.#requests++;
    let next: WaitingRequest;
    try {
      next = this.#examine(request, index);
      this.#makeRoom(next);
    } catch (error) {
      this.#refuse(request, index, MillraceError.from(error));
      return;
    }
    this.#waiting.add(next);
    this.#takeWaiting();
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#takeWaiting();
  }

  abort(error: MillraceError): void {
    this.#isOver = true;
    this.#waiting.clear();
    this.#responses.clear();
    this.#run.cancel(error);
  }

  onRoom(): void {
    if (!this.#output.isFull && !this.#responses.isFull) this.#run.setOutputBlocked(false);
  }

  /** Packets and bytes in the graph's queues and in front of them. */
  get queueUse(): QueueUse {
    let { packets, bytes } = this.#waiting.use;
    for (const queue of this.#run.queueSizes) {
      packets += queue.size;
      bytes += queue.bytes;
    }
    return { packets, bytes };
  }

  #examine(request: InferenceRequest, index: number): WaitingRequest {
    this.#clock.timestampOf(request.parameters);
    this.#sidePackets.check(request.parameters);
    checkEncodings(request, this.#program.outputs);
    const packets = packetsOf(this.#program, request);
    const { newestInputs } = this.#program;
    const newest =
      newestInputs.size === 0 ? [] : packets.map(({ stream }) => stream).filter((s) => newestInputs.has(s));
    return { request, index, packets, newest };
  }

  /** Drops those that wait and that `next` takes the place of. Throws, nothing dropped, when a limit is reached. */
  #makeRoom(next: WaitingRequest): void {
    const { maxInFlightRequests, maxQueuedPackets } = this.#program.quota;
    const replaced = this.#waiting.replacedBy(next);
    const waiting = this.#waiting.size - replaced.length;
    if (maxInFlightRequests > 0 && waiting + this.#taken.inFlight >= maxInFlightRequests) {
      throw limitReached(`${maxInFlightRequests} requests of the stream are in flight`, 'max_in_flight_requests');
    }
    if (maxQueuedPackets > 0 && this.#wouldQueue(next, maxQueuedPackets)) {
      throw limitReached(`${maxQueuedPackets} packets of the stream are queued`, 'max_queued_packets');
    }
    for (const old of replaced) {
      this.#waiting.remove(old);
      this.#dropped += old.packets.length;
      this.#output.dropped(old.packets.length, old.request);
      this.#program.meter?.dropped('newest_input', old.packets.length);
    }
  }

  /** More than `limit` packets; those on inputs with empty queues may be just what the queued ones wait for. */
  #wouldQueue({ packets }: WaitingRequest, limit: number): boolean {
    if (this.queueUse.packets + packets.length <= limit) return false;
    const queues = this.#run.queueSizes.filter(({ size }) => size > 0);
    return packets.some(({ stream }) => queues.some((queue) => queue.stream === stream));
  }

  /** Says which request it was, counting from 0: the texts differ for the first one. */
  #refuse(request: InferenceRequest, index: number, error: MillraceError): void {
    const { reason, message, code, cause } = error;
    const details = { ...error.details, requestIndex: index };
    this.#output.refuse(request, new MillraceError(reason, message, { code, details, cause }));
  }

  #takeWaiting(): void {
    for (let next = this.#waiting.first; next !== undefined && !this.#isOver; next = this.#waiting.first) {
      if (this.#run.isThrottled()) return this.#waitForRoom();
      if (this.#isBusy && next.newest.length > 0) return;
      if (isEncoded(next.packets)) return this.#decode(next);
      this.#waiting.shift();
      this.#take(next);
    }
    if (this.#isHalfClosed && !this.#isOver) this.#run.closeAllPacketSources();
  }

  /** Its images, while it waits; a newer request may take its place meanwhile. */
  #decode(entry: WaitingRequest): void {
    if (this.#isDecoding) return;
    this.#isDecoding = true;
    decodePackets(entry.packets)
      .then(
        (packets) => {
          if (this.#waiting.has(entry)) this.#waiting.replace(entry, { ...entry, packets });
        },
        (error: unknown) => {
          if (!this.#waiting.has(entry)) return;
          this.#waiting.remove(entry);
          this.#refuse(entry.request, entry.index, MillraceError.from(error));
        },
      )
      .finally(() => {
        this.#isDecoding = false;
        this.#takeWaiting();
      });
  }

  #take({ request, index, packets, newest }: WaitingRequest): void {
    try {
      const timestamp = this.#clock.timestampOf(request.parameters);
      const fault = faultOfPackets(this.#run, packets, timestamp);
      if (fault !== undefined) return this.#endAfterRest(fault);
      this.#clock.take(timestamp);
      // Before the packets: a stream that is both an input and an output of the graph answers at once.
      this.#taken.add(timestamp, request);
      this.#output.taken(request, packets.length);
      pushPackets(this.#run, packets, timestamp);
      if (newest.length > 0) this.#waitForRest(timestamp);
    } catch (error) {
      this.#refuse(request, index, MillraceError.from(error));
    }
  }

  #waitForRoom(): void {
    if (this.#isWaitingForRoom) return;
    this.#isWaitingForRoom = true;
    void this.#run.whenNotThrottled().then(() => {
      this.#isWaitingForRoom = false;
      this.#takeWaiting();
    });
  }

  #waitForRest(timestamp: bigint): void {
    this.#isBusy = true;
    this.#busyUntil = timestamp;
    if (this.#isWaitingForRest) return;
    this.#isWaitingForRest = true;
    this.#run.waitUntilIdle().then(
      () => {
        this.#isWaitingForRest = false;
        this.#rest();
      },
      () => {}, // the run has failed, and says so itself
    );
  }

  /** A call of the graph has ended: perhaps what the inputs were given has been worked off. */
  #askForRest(): void {
    if (!this.#isBusy || this.#willAskForRest) return;
    this.#willAskForRest = true;
    queueMicrotask(() => {
      this.#willAskForRest = false;
      if (this.#isBusy && !this.#isOver && isWorkedOff(this.#program.newestPath, this.#run, this.#busyUntil))
        this.#rest();
    });
  }

  #rest(): void {
    this.#isBusy = false;
    this.#takeWaiting();
  }

  #respond(port: { readonly name: string; readonly form: Form }, value: unknown, timestamp: bigint): void {
    if (this.#isOver) return;
    this.#countDrops();
    const request = this.#taken.find(timestamp);
    const response = responseOf(this.#program, port, value, timestamp, request?.id ?? '');
    const encoding = encodingOf(request ?? this.#firstOutputs, port);
    const sent = encoding === undefined ? response : encodeResponse(response, value as Image, encoding);
    this.#responses.add(sent, (made) => this.#output.respond(this.#withDrops(made), request?.timer.responded()));
    if (this.#output.isFull || this.#responses.isFull) this.#run.setOutputBlocked(true);
  }

  /** What input policies of the graph have dropped. */
  #countDrops(): void {
    const packets = this.#run.droppedPackets - this.#droppedInGraph;
    if (packets === 0) return;
    this.#droppedInGraph += packets;
    this.#dropped += packets;
    this.#output.dropped(packets);
    this.#program.meter?.dropped('queue_policy', packets);
  }

  #withDrops(response: InferenceResponse): InferenceResponse {
    if (this.#dropped === 0) return response;
    const dropped = BigInt(this.#dropped);
    this.#dropped = 0;
    return { ...response, parameters: { ...response.parameters, [DROPPED_PARAMETER]: dropped } };
  }

  /** Nothing that was taken is lost: only what came after it is. */
  #endAfterRest(fault: MillraceError): void {
    this.#fault = fault;
    this.#waiting.clear();
    this.#run.closeAllPacketSources();
  }

  #end(error: MillraceError | undefined, comesLast?: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting.clear();
    this.#countDrops();
    this.#responses.whenEmpty(() => this.#output.end(this.#imageFault ?? error, comesLast));
  }
}

function limitReached(what: string, setting: string): MillraceError {
  return new MillraceError('LIMIT_REACHED', `${what}, which is the limit (${setting})`, { details: { setting } });
}
