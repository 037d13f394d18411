import { MillraceError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import { GraphRun, type GraphError, type GraphRunOptions, type ValidatedGraph } from '../../graph/index.ts';
import { DROP_SERVICE } from '../../calculators/core/drop-service.ts';
import { MODEL_SERVICE, type ModelService } from '../../runtime/model-service.ts';
import { SCRIPT_SERVICE } from '../../runtime/script/script-service.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import { Uint64 } from '../../tensor/parameters.ts';
import type { Lease } from '../lease.ts';
import { packetFault, startFault } from './graph-faults.ts';
import type { GraphMeter } from './graph-meter.ts';
import { EncodedImage } from './image-packets.ts';
import { packetBytes } from './packet-bytes.ts';
import type { GraphScripts } from './graph-scripts.ts';
import { pathOf, type NewestPath } from './newest-path.ts';
import { outputTensors, packetValue, requestPort, responseParameters, type Form, type InputPort } from './ports.ts';
import type { SessionTrace, SessionTraces } from './session-traces.ts';
import { TIMESTAMP_PARAMETER, type AutomaticTimestamps } from './session-clock.ts';

const RESERVED_SIDE_PACKET = 'py';

/** The models of one run, and how to give them back. */
export type TakeModels = () => { readonly models: ModelService; readonly release: () => void };

/** A loaded graph: everything that does not change from run to run. */
export interface GraphProgram {
  readonly name: string;
  readonly version: string;
  readonly graph: ValidatedGraph;
  readonly inputs: ReadonlyMap<string, InputPort>;
  /** Set when the graph takes whole requests. */
  readonly request: InputPort | undefined;
  readonly outputs: readonly {
    readonly name: string;
    readonly form: Form;
    /** No packet means that nothing was found. */
    readonly sparse?: boolean;
  }[];
  readonly automaticTimestamps: AutomaticTimestamps;
  /** Graph inputs of which, in a session, the newest packet wins while the graph is busy. */
  readonly newestInputs: ReadonlySet<string>;
  /** Where their packets may go. */
  readonly newestPath: NewestPath;
  readonly quota: GraphQuota;
  readonly takeModels: TakeModels;
  /** Undefined: the graph does not ask for traces of its sessions. */
  readonly traces?: SessionTraces | undefined;
  /** Undefined: nobody asks what its nodes do. */
  readonly meter?: GraphMeter | undefined;
  /** Undefined: none of its nodes runs a user's script. */
  readonly scripts?: GraphScripts | undefined;
  /** Each run holds it to its very end, also one whose session was aborted long before: what all runs share closes after them. */
  readonly shared: Lease<{ close(): Promise<void> }>;
}

/** Parameters of the requests of one run. */
export interface RunParameters {
  /** Of the first one. */
  readonly first: Parameters | undefined;
  /** Of the one at a timestamp, where it is known. */
  at(timestamp: bigint): Parameters | undefined;
}

/** What a session may have under way; 0: no limit. */
export interface GraphQuota {
  readonly maxInFlightRequests: number;
  readonly maxQueuedPackets: number;
}

/** One packet of a request that may be pushed. */
export interface PendingPacket {
  readonly stream: string;
  readonly value: unknown;
}

export function createProgram(
  parts: Omit<GraphProgram, 'inputs' | 'request' | 'outputs' | 'newestPath'>,
  inputs: readonly InputPort[],
  outputs: GraphProgram['outputs'],
): GraphProgram {
  return {
    ...parts,
    newestPath: pathOf(parts.newestInputs, parts.graph),
    inputs: new Map(inputs.map((port) => [port.name, port])),
    request: requestPort(inputs),
    outputs,
  };
}

interface RunExtras {
  /** What its queues may hold together. */
  readonly maxQueueBytes?: number;
  /** Of the session that the run is for; `release` ends it. */
  readonly trace?: SessionTrace | undefined;
  /** Told when a call of a calculator has ended. */
  readonly onCall?: (() => void) | undefined;
}

/**
 * A new run with its models and scripts; `release` once it is over. Not started.
 */
export function createRun(
  program: GraphProgram,
  parameters: RunParameters,
  { maxQueueBytes = Infinity, trace, onCall }: RunExtras = {},
): { run: GraphRun; release: () => void } {
  const { models, release } = program.takeModels();
  program.shared.acquire();
  const services = new Map<string, unknown>([[MODEL_SERVICE, models]]);
  const { scripts, meter } = program;
  if (meter !== undefined) {
    services.set(DROP_SERVICE, (packets: number) => meter.dropped('flow_limiter', packets));
  }
  if (scripts !== undefined) {
    services.set(
      SCRIPT_SERVICE,
      scripts.service(parameters.first ?? {}, (timestamp) => parameters.at(timestamp)),
    );
  }
  const run = new GraphRun(program.graph, {
    services,
    sizeOf: packetBytes,
    maxQueueBytes,
    ...trace?.hooks,
    ...calledOf(program.meter, trace, onCall),
  });
  return {
    run,
    release: () => {
      release();
      trace?.end();
      program.shared.release();
    },
  };
}

/** Tells all who want to know of calls. */
function calledOf(
  meter: GraphMeter | undefined,
  trace: SessionTrace | undefined,
  onCall: (() => void) | undefined,
): Pick<GraphRunOptions, 'onNodeRun'> {
  if (meter === undefined && onCall === undefined) return {};
  return {
    onNodeRun: (node, microseconds, phase, timestamp) => {
      meter?.called(node, microseconds, phase);
      trace?.hooks.onNodeRun(node, microseconds, phase, timestamp);
      onCall?.();
    },
  };
}

/**
 * Starts a run with the side packets that a first request's parameters make.
 * @throws MillraceError GRAPH_INVALID or GRAPH_START_FAILED with OVMS's texts
 */
export function startRun(run: GraphRun, parameters: Parameters | undefined): void {
  if (parameters !== undefined && RESERVED_SIDE_PACKET in parameters) {
    throw startFault(
      'GRAPH_INVALID',
      new Error(`Incoming input side packet: ${RESERVED_SIDE_PACKET} is special reserved name and cannot be used`),
    );
  }
  try {
    run.start(sidePackets(parameters));
  } catch (error) {
    throw startFault('GRAPH_START_FAILED', error);
  }
}

/**
 * The packets of a request, all checked, none pushed; images that came as files are still to be decoded (`decodePackets`).
 * @throws MillraceError about the first input that is not as it should be; nothing was pushed
 */
export function packetsOf(program: GraphProgram, request: InferenceRequest): PendingPacket[] {
  if (program.request !== undefined) return [{ stream: program.request.name, value: request }];
  const packets: PendingPacket[] = [];
  for (const tensor of request.inputs) {
    const port = program.inputs.get(tensor.name);
    if (port === undefined) {
      const expected = [...program.inputs.keys()];
      throw new MillraceError(
        'UNEXPECTED_INPUT',
        `Unexpected input - ${tensor.name} is unexpected${didYouMean(tensor.name, expected)}`,
        { details: { tensor: tensor.name, expected } },
      );
    }
    if (packets.some((packet) => packet.stream === tensor.name)) {
      throw new MillraceError('DUPLICATE_INPUT', `Unexpected input - ${tensor.name} is given twice`, {
        details: { tensor: tensor.name },
      });
    }
    const isFile = port.form === 'image' && tensor.datatype === 'BYTES';
    packets.push({ stream: tensor.name, value: isFile ? EncodedImage.of(tensor) : packetValue(port, tensor) });
  }
  return packets;
}

/** The fault of the first packet that the graph would refuse at `timestamp`, which ends a session; none is pushed. */
export function faultOfPackets(
  run: GraphRun,
  packets: readonly PendingPacket[],
  timestamp: bigint,
): MillraceError | undefined {
  for (const { stream, value } of packets) {
    const fault: GraphError | undefined = run.checkPacket(stream, value, timestamp);
    if (fault !== undefined) return packetFault(stream, fault);
  }
  return undefined;
}

/** Pushes packets that have no fault. What the application observes of the inputs themselves it is told before this returns. */
export function pushPackets(run: GraphRun, packets: readonly PendingPacket[], timestamp: bigint): void {
  for (const { stream, value } of packets) run.addPacket(stream, { value, timestamp });
}

/**
 * The response that carries one output packet.
 * @throws MillraceError GRAPH_FAILED where the packet cannot be sent
 */
export function responseOf(
  program: GraphProgram,
  output: { readonly name: string; readonly form: Form },
  value: unknown,
  timestamp: bigint,
  id: string,
): InferenceResponse {
  const outputs = outputTensors(output.name, output.form, value);
  const parameters = { ...responseParameters(output.form, value), [TIMESTAMP_PARAMETER]: timestamp };
  return { servable: program.name, version: program.version, id, parameters, outputs };
}

function sidePackets(parameters: Parameters | undefined): ReadonlyMap<string, unknown> {
  // What OVMS gives its Python nodes; ours need nothing of it.
  const packets = new Map<string, unknown>([[RESERVED_SIDE_PACKET, true]]);
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (name !== TIMESTAMP_PARAMETER) packets.set(name, value instanceof Uint64 ? value.value : value);
  }
  return packets;
}
