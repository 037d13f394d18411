import type { ServableDescription } from '../../ipc/description.ts';
import type { Cancellation } from '../../base/cancellation.ts';
import { messageOf, MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { builtinCalculators } from '../../calculators/index.ts';
import { ImagePacketType, TensorPacketType } from '../../calculators/packet-types.ts';
import { pythonExecutor } from '../../calculators/script/python-executor.ts';
import { scriptCalculator } from '../../calculators/script/script-calculator.ts';
import {
  CalculatorRegistry,
  readGraphFile,
  validateGraph,
  type CalculatorDefinition,
  type NodeDefinition,
  type ValidatedGraph,
} from '../../graph/index.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import { newModules, type ImportModule } from '../../runtime/script/user-modules.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { GraphLoad } from '../host-spec.ts';
import { Lease } from '../lease.ts';
import type { HostServable } from '../servable.ts';
import { withCallDeadline } from './call-deadline.ts';
import { describeGraph, graphWarnings } from './describe.ts';
import type { GraphMeter } from './graph-meter.ts';
import { createProgram, type GraphProgram, type TakeModels } from './graph-program.ts';
import { GraphScripts } from './graph-scripts.ts';
import { GraphSession } from './graph-session.ts';
import { formOf, isSendable } from './ports.ts';
import { SessionTraces } from './session-traces.ts';
import { inferOnce } from './unary.ts';
import { loadUserCalculators } from './user-calculators.ts';

/** @throws MillraceError GRAPH_INVALID naming the file, the line and the fault */
export async function loadGraph(
  spec: GraphLoad,
  takeModels: TakeModels,
  logger: Logger,
  meter?: GraphMeter,
): Promise<HostServable> {
  const { graphPath, callDeadlineMs = 0, loadTimeoutMs = 0 } = spec;
  const importModule = newModules(loadTimeoutMs);
  const graph = await readGraph(graphPath, await calculatorsFor(spec, importModule));
  const automaticTimestamps = spec.automaticTimestamps ?? (graph.measuresTime ? 'wall_clock' : 'request');
  if (spec.automaticTimestamps === undefined && graph.measuresTime) {
    logger.info({ servable: spec.name }, 'its calculators measure time: automatic timestamps are the wall clock');
  }
  const { name, version, quota = { maxInFlightRequests: 0, maxQueuedPackets: 0 } } = spec;
  const newestInputs = newestInputsOf(spec, graph);
  const scripts = await GraphScripts.load(graph, {
    graphPath,
    importModule,
    loadTimeoutMs,
    callDeadlineMs,
    logger: logger.child({ servable: spec.name }),
  });
  const close = async (): Promise<void> => {
    meter?.close();
    await scripts?.close();
  };
  const shared = new Lease({ close }, (error) => {
    logger.error({ servable: name, error: messageOf(error) }, 'scripts failed to close');
  });
  const traces = graph.trace && new SessionTraces(graph, name, graph.trace, logger);
  const program = createProgram(
    { name, version, graph, automaticTimestamps, newestInputs, quota, takeModels, scripts, shared, traces, meter },
    graph.inputStreams.map((port) => ({ name: port.name, form: formOf(port), type: port.type })),
    graph.outputStreams.map((port) => ({
      name: port.name,
      form: formOf(port),
      sparse: (port.type instanceof TensorPacketType || port.type instanceof ImagePacketType) && port.type.sparse,
    })),
  );
  const { models, release } = takeModels();
  try {
    const warnings = graphWarnings(graph, models);
    const runsUserCode = scripts !== undefined || (spec.calculators ?? []).length > 0;
    return new GraphServable(program, { ...describeGraph(graph, models), warnings }, !runsUserCode);
  } catch (error) {
    await shared.retire();
    throw error;
  } finally {
    release();
  }
}

/** @throws MillraceError CONFIG_INVALID where `input_policy` names an input that the graph does not have */
function newestInputsOf({ inputPolicy = {} }: GraphLoad, { inputStreams }: ValidatedGraph): ReadonlySet<string> {
  const names = inputStreams.map(({ name }) => name);
  if (typeof inputPolicy === 'string') return new Set(inputPolicy === 'newest' ? names : []);
  const unknown = Object.keys(inputPolicy).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new MillraceError(
      'CONFIG_INVALID',
      `input_policy: the graph has no input "${unknown}"; ${names.join(', ')} expected`,
    );
  }
  return new Set(names.filter((name) => inputPolicy[name] === 'newest'));
}

/** The server's calculators and the user's own; those that run a user's code, with a deadline. And the user's status handlers. */
async function calculatorsFor(spec: GraphLoad, importModule: ImportModule): Promise<CalculatorRegistry> {
  const { calculators = [], callDeadlineMs = 0 } = spec;
  const users = await loadUserCalculators(calculators, importModule);
  const scripts: readonly string[] = [scriptCalculator.name, pythonExecutor.name];
  const own: CalculatorDefinition[] = [...users.calculators];
  const others: NodeDefinition[] = [];
  for (const each of builtinCalculators) {
    if (!('expand' in each) && scripts.includes(each.name)) own.push(each);
    else others.push(each);
  }
  try {
    return new CalculatorRegistry(
      [...others, ...own.map((calculator) => withCallDeadline(calculator, callDeadlineMs))],
      users.statusHandlers,
    );
  } catch (error) {
    throw new MillraceError('GRAPH_INVALID', `calculators: ${messageOf(error)}`, { cause: error });
  }
}

async function readGraph(path: string, registry: CalculatorRegistry): Promise<ValidatedGraph> {
  let graph: ValidatedGraph;
  try {
    const file = await readGraphFile(path, registry);
    graph = validateGraph(file.config, file.registry);
  } catch (error) {
    throw new MillraceError('GRAPH_INVALID', messageOf(error), { details: { file: path }, cause: error });
  }
  checkServable(graph, path);
  return graph;
}

/** What OVMS asks of a graph beyond MediaPipe (sheet §3.5). */
function checkServable(graph: ValidatedGraph, path: string): void {
  const fail = (problem: string): never => {
    throw new MillraceError('GRAPH_INVALID', `${path}: ${problem}`, { details: { file: path } });
  };
  const { inputStreams, outputStreams } = graph;
  if (inputStreams.length === 0) fail('the graph has no input_stream, at least one expected');
  if (outputStreams.length === 0) fail('the graph has no output_stream, at least one expected');
  for (const [side, ports] of [
    ['input', inputStreams],
    ['output', outputStreams],
  ] as const) {
    const tflite = ports.find(({ tag }) => tag.startsWith('TFLITE_TENSOR'));
    if (tflite !== undefined) fail(`${side}_stream "${tflite.name}": TFLITE_TENSOR is not supported; use OVTENSOR`);
    const names = ports.map((port) => port.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) fail(`graph ${side} stream "${twice}" is listed twice`);
    if (ports.length > 1 && ports.some((port) => formOf(port) === 'request')) {
      fail(`${ports.length} ${side} streams given; a side that carries whole requests or responses has only that one`);
    }
  }
  for (const { name, type } of outputStreams) {
    if (!isSendable(type))
      fail(`output_stream "${name}" carries ${type.name}; a tensor, an image or a response expected`);
  }
  const takesRequests = inputStreams.some((port) => formOf(port) === 'request');
  if (takesRequests !== outputStreams.some((port) => formOf(port) === 'request')) {
    fail('a REQUEST input needs a RESPONSE output and the other way round');
  }
}

/** A graph: a fresh run for each unary request, one run for the life of each session. */
class GraphServable implements HostServable {
  readonly description: ServableDescription;
  readonly forgetsInputs: boolean;
  readonly #program: GraphProgram;

  /** @param forgetsInputs it runs no code of a user, which may keep what it has seen */
  constructor(program: GraphProgram, description: ServableDescription, forgetsInputs: boolean) {
    this.#program = program;
    this.forgetsInputs = forgetsInputs;
    this.description = description;
  }

  infer(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    return inferOnce(this.#program, request, cancellation);
  }

  open(first: InferenceRequest, output: SessionOutput): HostSession {
    return new GraphSession(this.#program, first, output);
  }

  /**
   * Sessions are over by then; the runs of aborted ones may not be. Waits for them: for their calls, their traces, and then
   * for the shared scripts' `finalize`, which must find no call under way. A call of a user's code is given up at its deadline.
   */
  close(): Promise<void> {
    return this.#program.shared.retire();
  }
}
