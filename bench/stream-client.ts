/**
 * What the stream client costs on its own side: CPU for each frame of a 1080p file from decoding to the wire, of the client with
 * its decoder, beside ffmpeg alone doing the same to a pipe, in turns. The server (`frame-sink.ts`) takes frames and does nothing
 * with them; it is not counted. Writes its part of docs/performance.md.
 *
 *     npm run bench:stream-client
 *     npm run bench:stream-client -- --dry     writes nothing
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { ROOT } from '../test/support/paths.ts';
import { ScratchFolder } from '../test/support/scratch-folder.ts';
import { ffmpeg } from '../test/support/clips.ts';
import { writeSection } from './performance-page.ts';
import { endedChildrenMs } from './process-usage.ts';
import { median } from './statistics.ts';

const TARGET = 1.3;
const ROUNDS = 5;
const FRAMES = 180;
/** Of a frame, raw. */
const BYTES = 1920 * 1080 * 3;
const ENCODINGS = ['raw', 'jpeg'] as const;
type Encoding = (typeof ENCODINGS)[number];

const run = promisify(execFile);
const TSX = ['--import', 'tsx'];

interface ClientCost {
  readonly frames: number;
  readonly clientMs: number;
  /** Of that, the kernel's. */
  readonly kernelMs: number;
  readonly decoderMs: number;
}

async function makeVideo(path: string): Promise<void> {
  const picture = `testsrc2=size=1920x1080:rate=30:duration=${FRAMES / 30},noise=alls=6:allf=t`;
  const encoder = ['-c:v', 'libx264', '-preset', 'veryfast', '-b:v', '6M', '-pix_fmt', 'yuv420p'];
  await ffmpeg('-f', 'lavfi', '-i', picture, ...encoder, path);
}

/** @returns milliseconds of CPU for each frame, with what ffmpeg takes to start, as of the client's decoder */
async function bareMs(video: string, encoding: Encoding): Promise<number> {
  const output =
    encoding === 'raw'
      ? ['-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-f', 'rawvideo']
      : ['-c:v', 'mjpeg', '-q:v', '3', '-pix_fmt', 'yuvj420p', '-f', 'mjpeg'];
  const args = ['-nostdin', '-loglevel', 'error', '-threads', '1', '-i', video, '-threads', '1', ...output, 'pipe:1'];
  const before = endedChildrenMs();
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.resume();
  await once(child, 'close');
  return (endedChildrenMs() - before) / FRAMES;
}

interface CopyCost {
  readonly frames: number;
  readonly copyMs: number;
  readonly kernelMs: number;
}

/** Of reading frames from ffmpeg and writing them to a socket alone, by `frame-copier.ts`; medians. */
async function copyCost(video: string): Promise<CopyCost> {
  const sink = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  const { port } = sink.address() as AddressInfo;
  const costs: CopyCost[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const args = [...TSX, join(ROOT, 'bench/frame-copier.ts'), video, String(BYTES), String(port)];
      costs.push(JSON.parse((await run(process.execPath, args, { cwd: ROOT })).stdout) as CopyCost);
    }
  } finally {
    sink.close();
  }
  if (costs.some(({ frames }) => frames !== FRAMES)) throw new Error(`not ${FRAMES} frames were copied`);
  return {
    frames: FRAMES,
    copyMs: median(costs.map(({ copyMs }) => copyMs)),
    kernelMs: median(costs.map(({ kernelMs }) => kernelMs)),
  };
}

async function clientCost(video: string, port: string, encoding: Encoding): Promise<ClientCost> {
  const args = [...TSX, join(ROOT, 'bench/frame-client.ts'), video, port, encoding];
  const { stdout } = await run(process.execPath, args, { cwd: ROOT });
  const cost = JSON.parse(stdout) as ClientCost;
  if (cost.frames !== FRAMES) throw new Error(`${cost.frames} of ${FRAMES} frames were answered`);
  return cost;
}

interface Row {
  readonly encoding: Encoding;
  readonly bare: number;
  readonly client: number;
  readonly kernel: number;
  readonly decoder: number;
  readonly ratio: number;
}

async function compare(video: string, port: string, encoding: Encoding): Promise<Row> {
  const rounds: Omit<Row, 'encoding' | 'ratio'>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const bare = await bareMs(video, encoding);
    const { clientMs, kernelMs, decoderMs } = await clientCost(video, port, encoding);
    rounds.push({ bare, client: clientMs, kernel: kernelMs, decoder: decoderMs });
  }
  return {
    encoding,
    bare: median(rounds.map(({ bare }) => bare)),
    client: median(rounds.map(({ client }) => client)),
    kernel: median(rounds.map(({ kernel }) => kernel)),
    decoder: median(rounds.map(({ decoder }) => decoder)),
    ratio: median(rounds.map(({ bare, client, decoder }) => (client + decoder) / bare)),
  };
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** What of a raw frame's cost there is no way around. */
function account(rows: readonly Row[], copy: CopyCost): string {
  const raw = rows.find(({ encoding }) => encoding === 'raw');
  if (raw === undefined) return '';
  const ms = (value: number): string => value.toFixed(2);
  return [
    `Of a raw frame, ${(BYTES / 1e6).toFixed(1)} MB, the kernel copies every byte twice, out of ffmpeg’s pipe and into the server’s socket.`,
    `A program in Node that does only that, without gRPC (\`bench/frame-copier.ts\`), takes ${ms(copy.copyMs)} ms a frame, ${ms(copy.kernelMs)} of them the kernel’s: with the decoder, a ratio of ${ms((raw.bare + copy.copyMs) / raw.bare)}, the least that a client in Node can reach.`,
    'ffmpeg writes 32 KiB at a time, whatever it is told, so the reader wakes about 190 times for a frame; HTTP/2 has 16 KiB in a frame of its own. A copier in C that waits in `read` and writes each frame at once took 1.7 ms when it was tried on two such cores: even that is a ratio of 1.3.',
    'What needs fewer copies needs fewer bytes: `--encoding jpeg`.',
  ].join(' ');
}

function report(rows: readonly Row[], copy: CopyCost): string {
  return [
    '## Stream client',
    '',
    `\`npm run bench:stream-client\`: milliseconds of CPU for each frame of a file of 1920 × 1080 (H.264), from decoding to the wire, beside ffmpeg alone decoding the same to a pipe, both with ffmpeg’s start; medians of ${ROUNDS} rounds of ${FRAMES} frames. The client’s share begins with its first frame. Load average of the machine: ${loadavg()[1]?.toFixed(1)} on two cores.`,
    '',
    line(['encoding', 'ffmpeg alone', 'client’s decoder', 'client', 'of that, kernel', 'ratio', 'target', '']),
    line(['-', '-:', '-:', '-:', '-:', '-:', '-:', '-']),
    ...rows.map(({ encoding, bare, decoder, client, kernel, ratio }) =>
      line([
        encoding,
        ...[bare, decoder, client, kernel, ratio].map((value) => value.toFixed(2)),
        `≤ ${TARGET}`,
        ratio <= TARGET ? 'pass' : 'miss',
      ]),
    ),
    '',
    account(rows, copy),
  ].join('\n');
}

await using folder = await ScratchFolder.create();
const video = join(folder.path, 'video.mp4');
await makeVideo(video);
const sink = spawn(process.execPath, [...TSX, join(ROOT, 'bench/frame-sink.ts')], {
  cwd: ROOT,
  stdio: ['pipe', 'pipe', 'inherit'],
});
try {
  const [port] = (await once(createInterface(sink.stdout), 'line')) as [string];
  const rows: Row[] = [];
  for (const encoding of ENCODINGS) rows.push(await compare(video, port, encoding));
  const text = report(rows, await copyCost(video));
  console.log(text);
  if (!process.argv.includes('--dry')) await writeSection('stream-client', text);
} finally {
  sink.stdin.end();
}
