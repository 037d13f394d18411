import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'vitest';
import { GrpcClient } from '../../src/client/index.ts';
import type { StreamReport } from '../../src/stream-client/index.ts';
import { makeClip } from './clips.ts';
import { ROOT } from './paths.ts';
import { ScratchFolder } from './scratch-folder.ts';
import { startServer, type TestServer } from './start-server.ts';

/** Graphs from one picture to others, by name: a frame may have one answer, none, or several. */
const GRAPHS = {
  copy: passThrough('output'),
  twice: passThrough('output', 0) + passThrough('copy', 1),
  thin: thinner('period: 100000'),
  silent: thinner('period: 1 start_time: 9000000000000000'),
};

function passThrough(output: string, index = 0): string {
  const node = `node { calculator: "PassThroughCalculator" input_stream: "IMAGE:first_input_video" output_stream: "IMAGE:${output}" }`;
  return `output_stream: "IMAGE:${index}:${output}" ${node}\n`;
}

function thinner(options: string): string {
  return `output_stream: "IMAGE:output"
    node { calculator: "PacketThinnerCalculator" input_stream: "first_input_video" output_stream: "output"
      node_options { [type.googleapis.com/mediapipe.PacketThinnerCalculatorOptions] { thinner_type: ASYNC ${options} } } }`;
}

/** As Triton's models: no times in the answers, only the requests' ids. */
const PLAIN = `import { defineRuntime } from 'millrace';
  const picture = { datatype: 'UINT8', shape: [-1, -1, 3] };
  export default defineRuntime({
    name: 'plain',
    inputs: [{ name: 'image', ...picture }],
    outputs: [{ name: 'turned', ...picture }],
    predict: ({ id, inputs: [input] }) => ({ id, outputs: [{ ...input, name: 'turned', data: Uint8Array.from(input.data).reverse() }] }),
  });`;

export interface ClientRun {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** A server with graphs from one picture to others, for `millrace client` and `StreamClient`. */
export class StreamClientServer implements AsyncDisposable {
  readonly folder: ScratchFolder;
  readonly server: TestServer;
  /** 320×240, 90 frames, 30 a second. */
  readonly clip: string;

  private constructor(folder: ScratchFolder, server: TestServer, clip: string) {
    this.folder = folder;
    this.server = server;
    this.clip = clip;
  }

  static async start(): Promise<StreamClientServer> {
    const folder = await ScratchFolder.create();
    const entries = await Promise.all(
      Object.entries(GRAPHS).map(async ([name, graph]) => {
        await folder.put(`${name}/graph.pbtxt`, `input_stream: "IMAGE:first_input_video"\n${graph}`);
        return { name, base_path: join(folder.path, name) };
      }),
    );
    const implementation = await folder.put('plain.js', PLAIN);
    const server = await startServer({
      config: { mediapipe_config_list: entries, runtimes: [{ name: 'plain', implementation }] },
    });
    const clip = await makeClip(join(folder.path, 'clip.mp4'), { frames: 90 });
    return new StreamClientServer(folder, server, clip);
  }

  /** A path in its folder. */
  out(name: string): string {
    return join(this.folder.path, name);
  }

  /** For a `StreamClient`; the caller closes it. */
  client(): GrpcClient {
    return new GrpcClient({ address: this.server.grpcAddress });
  }

  /** Starts `millrace client`. */
  run(
    args: readonly string[],
    { model = 'copy', env = {} }: { readonly model?: string; readonly env?: Record<string, string> } = {},
  ): ClientRun {
    const all = ['client', '--grpc_address', this.server.grpcAddress, '--model_name', model, ...args];
    const child = spawn(process.execPath, ['bin/millrace.js', ...all], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) };
  }

  /** Runs `millrace client --benchmark` to its end. */
  async report(args: readonly string[], model?: string): Promise<StreamReport> {
    const options = model === undefined ? {} : { model };
    const { code, stdout, stderr } = await this.run([...args, '--benchmark', '--quiet'], options).ended;
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as StreamReport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await this.folder[Symbol.asyncDispose]();
  }
}
