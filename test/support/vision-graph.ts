import { readFile } from 'node:fs/promises';
import { silentLogger } from '../../src/base/logger.ts';
import { builtinCalculators } from '../../src/calculators/index.ts';
import {
  CalculatorRegistry,
  GraphRun,
  readGraphFile,
  validateGraph,
  type GraphRunOptions,
  type ValidatedGraph,
} from '../../src/graph/index.ts';
import type { Image } from '../../src/media/image.ts';
import type { ModelSession, RunMonitor } from '../../src/runtime/model-session.ts';
import { onnxBackend } from '../../src/runtime/onnx/backend.ts';
import { ROOT } from './paths.ts';

const FOLDER = `${ROOT}/graphs/holistic_tracking`;

interface Subconfig {
  readonly model_config_list: readonly { readonly config: { readonly name: string; readonly base_path: string } }[];
}

/** A graph of `graphs/holistic_tracking` with its models, run in this process. */
export class VisionGraph implements AsyncDisposable {
  readonly #graph: ValidatedGraph;
  readonly #sessions: ReadonlyMap<string, ModelSession>;

  private constructor(graph: ValidatedGraph, sessions: ReadonlyMap<string, ModelSession>) {
    this.#graph = graph;
    this.#sessions = sessions;
  }

  /**
   * Loads `<name>.pbtxt` and the models that it names.
   * @param onInference told of each run of a model, the nanoseconds that it took, and the milliseconds of CPU of this process
   */
  static async load(
    name: string,
    onInference: (model: string, ns: number, cpuMs: number) => void = () => {},
  ): Promise<VisionGraph> {
    const file = await readGraphFile(`${FOLDER}/${name}.pbtxt`, new CalculatorRegistry(builtinCalculators));
    const graph = validateGraph(file.config, file.registry);
    const wanted = new Set(
      graph.nodes.map(({ options }) => (options as { readonly servableName?: string }).servableName),
    );
    const { model_config_list: models } = JSON.parse(await readFile(`${FOLDER}/subconfig.json`, 'utf8')) as Subconfig;
    const sessions = new Map<string, ModelSession>();
    for (const { config } of models) {
      if (!wanted.has(config.name)) continue;
      const options = {
        name: config.name,
        version: '1',
        path: `${FOLDER}/${config.base_path}/1/model.onnx`,
        executionProviders: ['cpu'],
        intraOpThreads: 1,
        runDeadlineMs: 0,
      } as const;
      let started = 0;
      const monitor: RunMonitor = {
        runStarted: () => void (started = cpuMsOfProcess()),
        runEnded: ({ inferNs }) => onInference(config.name, inferNs, cpuMsOfProcess() - started),
      };
      sessions.set(config.name, await onnxBackend.load(options, monitor, silentLogger));
    }
    return new VisionGraph(graph, sessions);
  }

  /** Starts a run whose packets on `streams` (names of the expanded graph) `frame` collects. */
  start(
    streams: readonly string[],
    sidePackets: Readonly<Record<string, unknown>> = {},
    options: GraphRunOptions = {},
  ): VisionRun {
    return new VisionRun(this.#graph, this.#sessions, streams, sidePackets, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions.values()) await session[Symbol.asyncDispose]();
  }
}

/** One live graph, fed image by image. */
export class VisionRun {
  readonly #run: GraphRun;
  readonly #input: string;
  #packets = new Map<string, unknown>();

  constructor(
    graph: ValidatedGraph,
    sessions: ReadonlyMap<string, ModelSession>,
    streams: readonly string[],
    sidePackets: Readonly<Record<string, unknown>>,
    options: GraphRunOptions,
  ) {
    const session = (name: string) => {
      const found = sessions.get(name);
      if (found === undefined) throw new Error(`no model "${name}" in subconfig.json`);
      return found;
    };
    this.#run = new GraphRun(graph, { ...options, services: new Map([['models', { session }]]) });
    this.#input = graph.inputStreams[0]?.name ?? '';
    for (const stream of streams) this.#run.observe(stream, ({ value }) => this.#packets.set(stream, value));
    this.#run.start(new Map(Object.entries(sidePackets)));
  }

  /** The packets at this image's timestamp, by stream; none where nothing was found. */
  async frame(image: Image, timestamp: number): Promise<ReadonlyMap<string, unknown>> {
    this.#packets = new Map();
    this.#run.addPacket(this.#input, { value: image, timestamp: BigInt(timestamp) });
    await this.#run.waitUntilIdle();
    return this.#packets;
  }

  async end(): Promise<void> {
    this.#run.closeAllInputs();
    await this.#run.waitUntilDone();
  }
}

/** All CPU time of this process so far. */
export function cpuMsOfProcess(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** An image file as RGB. */
export async function readImage(path: string): Promise<Image> {
  const { default: sharp } = await import('sharp');
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: 3, format: 'SRGB', data: new Uint8Array(data) };
}
