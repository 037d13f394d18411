import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ffmpeg } from './clips.ts';
import { freePort } from './free-port.ts';
import { ROOT } from './paths.ts';
import { ScratchFolder } from './scratch-folder.ts';
import { startServer, type TestServer } from './start-server.ts';

/** Of the clip that every pipeline has that names no other video; 15 of them a second, 200 × 150. */
export const CLIP_FRAMES = 75;

/** What the API says of a pipeline, as far as tests look at it. */
export interface PipelineLine {
  readonly id: string;
  readonly state: string;
  readonly report: {
    readonly results: number;
    readonly host_losses: number;
    readonly sources: readonly {
      readonly state: string;
      readonly captured: number;
      readonly inferred: number;
      readonly dropped_muted: number;
      readonly reconnects: number;
      readonly last_error: string | null;
    }[];
    readonly sinks: readonly { readonly type: string; readonly delivered: number }[];
  };
}

/** A server with a graph, a model, one of a Roboflow cache, a stream manager, and a clip of shapes for its pipelines. */
export class PipelineServer implements AsyncDisposable {
  readonly folder: ScratchFolder;
  readonly clip: string;
  readonly config: object;
  readonly server: TestServer;
  readonly managerPort: number;

  private constructor(parts: Pick<PipelineServer, 'folder' | 'clip' | 'config' | 'server' | 'managerPort'>) {
    this.folder = parts.folder;
    this.clip = parts.clip;
    this.config = parts.config;
    this.server = parts.server;
    this.managerPort = parts.managerPort;
  }

  static async start(): Promise<PipelineServer> {
    const folder = await ScratchFolder.create();
    const clip = await makeShapes(join(folder.path, 'shapes.mp4'));
    await makeCache(join(folder.path, 'cache/shapes-project/3'));
    const config = {
      mediapipe_config_list: [{ name: 'detect', base_path: join(ROOT, 'graphs/detect') }],
      model_config_list: [{ config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } }],
      roboflow_caches: [join(folder.path, 'cache')],
      pipelines: {
        models: { detect: { servable: 'detect', class_names: ['circle', 'square', 'triangle'] } },
        allow: { schemes: ['file', 'rtsp', 'http', 'lavfi'], sink_folders: [folder.path] },
      },
    };
    const managerPort = await freePort();
    // A host that is stopped within a run of a graph's model is known to hang by the run's deadline alone.
    const deadline = ['--hosts', '2', '--pipeline_run_deadline_ms', '5000'];
    const own = ['--stream_manager_port', String(managerPort), '--pipelines_folder', join(folder.path, 'kept')];
    const server = await startServer({ config, flags: [...deadline, ...own] });
    return new PipelineServer({ folder, clip, config, server, managerPort });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }

  call(method: string, path: string, body?: string): Promise<Response> {
    return fetch(`${this.server.restUrl}${path}`, { method, ...(body !== undefined && { body }) });
  }

  /** Of a pipeline of the graph `detect` on the clip. */
  bodyOf(given: object): string {
    return JSON.stringify({ model_id: 'detect', video_reference: this.clip, ...given });
  }

  /** @returns its id */
  async create(given: object): Promise<string> {
    const response = await this.call('POST', '/v1/pipelines', this.bodyOf(given));
    const text = await response.text();
    expect(response.status, text).toBe(201);
    return (JSON.parse(text) as PipelineLine).id;
  }

  async look(id: string): Promise<PipelineLine> {
    return (await (await this.call('GET', `/v1/pipelines/${id}`)).json()) as PipelineLine;
  }

  async remove(id: string): Promise<void> {
    expect((await this.call('DELETE', `/v1/pipelines/${id}`)).status).toBe(200);
  }
}

async function makeShapes(path: string): Promise<string> {
  const raw = ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', '200x150', '-framerate', '15'];
  const scene = ['-stream_loop', String(CLIP_FRAMES - 1), '-i', join(ROOT, 'test/fixtures/shapes-scene.rgb')];
  await ffmpeg(...raw, ...scene, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-g', '15', '-crf', '10', path);
  return path;
}

async function makeCache(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await copyFile(join(ROOT, 'models/shapes/1/model.onnx'), join(folder, 'weights.onnx'));
  await writeFile(join(folder, 'model_type.json'), '{"project_task_type":"object-detection","model_type":"yolov8n"}');
  await writeFile(join(folder, 'class_names.txt'), 'circle\nsquare\ntriangle\n');
  const resize = { enabled: true, width: 160, height: 160, format: 'Fit (grey edges) in' };
  await writeFile(join(folder, 'environment.json'), JSON.stringify({ PREPROCESSING: JSON.stringify({ resize }) }));
}

/** A UDP port and what came to it. */
export async function udpReceiver(): Promise<{ port: number; got: Record<string, unknown>[]; socket: Socket }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const got: Record<string, unknown>[] = [];
  socket.on('message', (message) => got.push(JSON.parse(message.toString()) as Record<string, unknown>));
  return { port: socket.address().port, got, socket };
}

export const frameIdOf = (datagram: Record<string, unknown>): number =>
  (datagram['inference_metadata'] as { frame_id: number }).frame_id;

/** Whether a process is an ffmpeg; not where it has ended. */
export function isFfmpeg(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('ffmpeg');
  } catch {
    return false;
  }
}
