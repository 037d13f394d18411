import type { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import { knownNames } from '../../base/nearest.ts';
import type { Packet } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';
import { checkRequestedOutputs, selectOutputs } from '../requested-outputs.ts';
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
import { SessionClock } from './session-clock.ts';

/** One request on a run of its own; the first packet of each output makes the response (OVMS sheet §2). */
export async function inferOnce(
  program: GraphProgram,
  request: InferenceRequest,
  cancellation: Cancellation,
): Promise<InferenceResponse> {
  const timestamp = new SessionClock(program.automaticTimestamps).timestampOf(request.parameters);
  checkNames(program, request);
  checkEncodings(request, program.outputs);
  const given = packetsOf(program, request);
  checkComplete(program, given.length);
  const packets = isEncoded(given) ? await decodePackets(given) : given;
  const { run, release } = createRun(program, { first: request.parameters, at: () => request.parameters });
  const first = new Map<string, Packet>();
  for (const { name } of program.outputs) {
    run.observe(name, (packet) => {
      if (!first.has(name)) first.set(name, packet);
    });
  }
  const forget = cancellation.onCancel((error) => run.cancel(error));
  try {
    startRun(run, request.parameters);
    const fault = faultOfPackets(run, packets, timestamp);
    if (fault !== undefined) {
      run.cancel(fault);
      throw fault;
    }
    pushPackets(run, packets, timestamp);
    run.closeAllPacketSources();
    await run.waitUntilDone();
  } catch (error) {
    throw cancellation.error ?? runFault(error);
  } finally {
    forget();
    release();
  }
  return joined(program, request, first);
}

/** OVMS's text, with the names that there are. On a stream it tells a name only where one was mistyped: clients may know the text. */
function checkNames({ inputs, request: whole, name: servable }: GraphProgram, request: InferenceRequest): void {
  if (whole !== undefined) return;
  for (const { name } of request.inputs) {
    if (inputs.has(name)) continue;
    throw new MillraceError(
      'UNEXPECTED_INPUT',
      `Unexpected input - ${name} is unexpected${knownNames('input', name, inputs.keys())}`,
      { details: { servable, tensor: name, expected: [...inputs.keys()] } },
    );
  }
}

function checkComplete(program: GraphProgram, packets: number): void {
  if (packets >= program.inputs.size) return;
  const names = [...program.inputs.keys()];
  throw new MillraceError(
    'MISSING_INPUT',
    `Invalid number of inputs - Not all input packets created: ${packets} given, ${names.length} expected (${names.join(', ')})`,
    { details: { servable: program.name, expected: names, actual: packets } },
  );
}

async function joined(
  program: GraphProgram,
  request: InferenceRequest,
  first: Map<string, Packet>,
): Promise<InferenceResponse> {
  let response: InferenceResponse | undefined;
  const outputs: Tensor[] = [];
  /** Outputs that nothing was found for. */
  const empty: TensorSpec[] = [];
  for (const output of program.outputs) {
    const packet = first.get(output.name);
    if (packet === undefined) {
      if (output.sparse === true) {
        empty.push({ name: output.name, datatype: 'INVALID', shape: [] });
        continue;
      }
      throw new MillraceError(
        'GRAPH_FAILED',
        `Mediapipe execution failed. MP status - Unknown error during mediapipe execution: output "${output.name}" gave no packet`,
        { details: { servable: program.name, stream: output.name } },
      );
    }
    const raw = responseOf(program, output, packet.value, packet.timestamp, request.id);
    const encoding = encodingOf(request, output);
    const part = encoding === undefined ? raw : await encodeResponse(raw, packet.value as Image, encoding);
    response ??= part;
    outputs.push(...part.outputs);
  }
  // Only now: the tensors of a RESPONSE are not known before.
  checkRequestedOutputs(request, [...outputs, ...empty]);
  response ??= { servable: program.name, version: program.version, id: request.id, outputs };
  return { ...response, outputs: selectOutputs(request, outputs) };
}
