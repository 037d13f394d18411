import { MillraceError } from '../../base/errors.ts';
import type { GraphRun } from '../../graph/index.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import { runFault } from './graph-faults.ts';
import { createRun, packetsOf, pushPackets, responseOf, startRun, type GraphProgram } from './graph-program.ts';
import type { Form } from './ports.ts';
import { SessionClock } from './session-clock.ts';
import { TakenRequests } from './taken-requests.ts';

/** One live graph for the life of a stream: requests become packets, output packets become responses as they appear. */
export class GraphSession implements HostSession {
  readonly #program: GraphProgram;
  readonly #output: SessionOutput;
  readonly #run: GraphRun;
  readonly #clock: SessionClock;
  readonly #taken: TakenRequests;
  /** Requests that wait for room in the graph; credits bound them. */
  #waiting: InferenceRequest[] = [];
  /** Looked at so far, refused ones included. */
  #requests = 0;
  #isWaiting = false;
  #isHalfClosed = false;
  #isOver = false;

  /** @throws MillraceError when the graph cannot start */
  constructor(program: GraphProgram, first: InferenceRequest, output: SessionOutput) {
    this.#program = program;
    this.#output = output;
    this.#clock = new SessionClock(program.automaticTimestamps);
    const { run, release } = createRun(program);
    this.#run = run;
    this.#taken = new TakenRequests(run, program.outputs);
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
        () => this.#end(undefined),
        (error: unknown) => this.#end(runFault(error)),
      )
      .finally(release);
  }

  push(request: InferenceRequest): void {
    if (this.#isOver) return;
    if (this.#isWaiting || this.#run.isThrottled()) {
      this.#waiting.push(request);
      this.#waitForRoom();
    } else {
      this.#take(request);
    }
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    if (!this.#isWaiting) this.#closeSources();
  }

  abort(error: MillraceError): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#run.cancel(error);
  }

  onRoom(): void {
    this.#run.setOutputBlocked(false);
  }

  /** Says which request it was, counting from 0: the texts differ for the first one. */
  #refuse(request: InferenceRequest, error: MillraceError): void {
    const { reason, message, code } = error;
    const details = { ...error.details, requestIndex: this.#requests - 1 };
    this.#output.refuse(request, new MillraceError(reason, message, { code, details }));
  }

  /** All of the request's packets, or none: a fault is reported and moves nothing. */
  #take(request: InferenceRequest): void {
    this.#requests++;
    try {
      const timestamp = this.#clock.timestampOf(request.parameters);
      const packets = packetsOf(this.#program, request);
      const fault = pushPackets(this.#run, packets, timestamp);
      if (fault !== undefined) {
        this.#end(fault);
        this.#run.cancel(fault);
        return;
      }
      this.#clock.take(timestamp);
      this.#taken.add(timestamp, request.id);
      this.#output.taken(request);
    } catch (error) {
      this.#refuse(request, MillraceError.from(error));
    }
  }

  #waitForRoom(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    void this.#run.whenNotThrottled().then(() => {
      this.#isWaiting = false;
      while (!this.#isOver && !this.#run.isThrottled()) {
        const request = this.#waiting.shift();
        if (request === undefined) break;
        this.#take(request);
      }
      if (this.#isOver) return;
      if (this.#waiting.length > 0) this.#waitForRoom();
      else if (this.#isHalfClosed) this.#closeSources();
    });
  }

  #closeSources(): void {
    if (!this.#isOver) this.#run.closeAllPacketSources();
  }

  #respond(port: { readonly name: string; readonly form: Form }, value: unknown, timestamp: bigint): void {
    if (this.#isOver) return;
    const request = this.#taken.find(timestamp);
    const latencyUs = request && Math.round((performance.now() - request.at) * 1000);
    this.#output.respond(responseOf(this.#program, port, value, timestamp, request?.id ?? ''), latencyUs);
    if (this.#output.isFull) this.#run.setOutputBlocked(true);
  }

  #end(error: MillraceError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    this.#output.end(error);
  }
}
