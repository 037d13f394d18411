import { join } from 'node:path';
import { ROOT } from '../test/support/paths.ts';

/** Flags of the load generator for one server; see the head of its main.go, or perf_analyzer's help. */
export type LoadFlags = readonly string[];

export type PeerName = 'triton' | 'mlserver';

/** One load, put to our server and to the peers that can take it. */
export interface Load {
  readonly id: string;
  readonly title: string;
  /** What CPU time is given per. */
  readonly unit: 'request' | 'response';
  readonly ours: LoadFlags;
  /** What puts the load. @default "loadgen" */
  readonly tool?: 'perf_analyzer';
  /** Of our server; without one it is the shipped one. */
  readonly config?: object;
  /** More flags of our server. */
  readonly flags?: readonly string[];
  readonly peers: Readonly<Partial<Record<PeerName, LoadFlags>>>;
  /** Our CPU time per unit over the peer's: at most this. */
  readonly cpuTargets: Readonly<Partial<Record<PeerName, number>>>;
  /** Our peak memory over the peer's: at most this. */
  readonly memoryTargets?: Readonly<Partial<Record<PeerName, number>>>;
  /** Our figures themselves: at most this CPU time per unit, at least this many units per second. No error is let pass. */
  readonly ownTargets?: { readonly cpuUs: number; readonly perSecond: number };
  /** What stands in the way of a target, by profiles: below the table. */
  readonly note?: string;
  /** Also measured without host processes (no target). */
  readonly alsoWithoutHosts?: boolean;
}

/** Responses to one prompt. */
export const WORDS = 104;
const PROMPT = Array.from({ length: WORDS }, (_, i) => `w${i}`).join(' ');
/** The bytes of a full HD picture, 1920 × 1080 × 3. */
const PICTURE_BYTES = 6_220_800;

const stream = ['-mode', 'stream'];
const tiny = ['-model', 'identity', '-input', 'INPUT0', '-shape', '4'];
const tinyMlserver = ['-model', 'onnx-identity', '-input', 'x', '-shape', '1,4'];
const prompt = ['-datatype', 'BYTES', '-shape', '1', '-text', PROMPT, '-responses', String(WORDS)];
const picture = [...stream, '-c', '4', '-w', '1', '-model', 'identity', '-input', 'INPUT0'];
const wordsStream = [...stream, '-c', '4', '-w', '1', '-model', 'words', '-input', 'prompt', ...prompt];
const sse = ['-mode', 'sse', '-c', '4', '-responses', String(WORDS)];
const MIB = 2 ** 20;
const sharedMib = [
  ...['-m', 'identity', '-i', 'grpc', '--shape', `INPUT0:${MIB / 4}`, '--concurrency-range', '4'],
  ...['--shared-memory', 'system', '--output-shared-memory-size', String(MIB)],
];
const sseWords = [...sse, '-model', 'words', '-body', JSON.stringify({ prompt: PROMPT })];
const sseBody = JSON.stringify({ inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [PROMPT] }] });

export const LOADS: readonly Load[] = [
  {
    id: 'unary',
    title: 'unary gRPC, FP32 [4], 16 at a time',
    unit: 'request',
    ours: ['-c', '16', ...tiny],
    peers: { triton: ['-c', '16', ...tiny], mlserver: ['-c', '16', ...tinyMlserver] },
    cpuTargets: { triton: 0.6, mlserver: 0.2 },
  },
  {
    id: 'stream1',
    title: 'one gRPC stream, FP32 [4], 16 under way',
    unit: 'request',
    ours: [...stream, '-c', '1', '-w', '16', ...tiny],
    peers: { triton: [...stream, '-c', '1', '-w', '16', ...tiny] },
    cpuTargets: { triton: 0.35 },
  },
  {
    id: 'stream4',
    title: 'four gRPC streams, FP32 [4], 16 under way on each',
    unit: 'request',
    ours: [...stream, '-c', '4', '-w', '16', ...tiny],
    peers: { triton: [...stream, '-c', '4', '-w', '16', ...tiny] },
    cpuTargets: { triton: 0.35 },
  },
  {
    id: 'words',
    title: `gRPC streams, ${WORDS} responses to a request, 4 at a time`,
    unit: 'response',
    ours: wordsStream,
    peers: {
      triton: wordsStream,
      // MLServer answers a stream after its half-close only: a new stream for every request.
      mlserver: [...stream, '-restart', '-c', '4', '-w', '1', '-model', 'text-model', '-input', 'text', ...prompt],
    },
    cpuTargets: { triton: 0.35, mlserver: 0.5 },
  },
  {
    id: 'sse',
    title: `REST generate_stream, ${WORDS} events, 4 at a time`,
    unit: 'response',
    ours: sseWords,
    peers: { triton: sseWords, mlserver: [...sse, '-model', 'text-model', '-body', sseBody] },
    cpuTargets: { triton: 0.2, mlserver: 0.7 },
  },
  {
    id: 'rest',
    title: 'REST infer, JSON, FP32 [4], 16 at a time',
    unit: 'request',
    ours: ['-mode', 'rest', '-c', '16', ...tiny],
    peers: {
      triton: ['-mode', 'rest', '-c', '16', ...tiny],
      mlserver: ['-mode', 'rest', '-c', '16', ...tinyMlserver],
    },
    cpuTargets: { triton: 1, mlserver: 0.35 },
  },
  {
    id: 'picture',
    title: 'gRPC streams, 6.2 MB tensor both ways, 4 at a time',
    unit: 'request',
    ours: [...picture, '-datatype', 'UINT8', '-shape', String(PICTURE_BYTES)],
    // Its identity takes FP32: the same bytes.
    peers: { triton: [...picture, '-datatype', 'FP32', '-shape', String(PICTURE_BYTES / 4)] },
    cpuTargets: { triton: 2.5 },
    memoryTargets: { triton: 1 },
    alsoWithoutHosts: true,
  },
  {
    id: 'shared-memory',
    title: 'unary gRPC, 1 MiB tensors in system shared memory, 4 at a time (perf_analyzer)',
    unit: 'request',
    tool: 'perf_analyzer',
    ours: sharedMib,
    flags: ['--shared_memory'],
    note: 'Tensors in shared memory: Node maps no memory, so each tensor is copied by `pread` and `pwrite`, which are 63 % of the host’s CPU time (`perf`), more than half of that the kernel’s work for each page of 4 KiB. Triton has the memory mapped. Of the front’s time 45 % are Node’s HTTP/2.',
    peers: { triton: sharedMib },
    cpuTargets: { triton: 1 },
  },
  {
    id: 'sessions',
    title: 'sessions of a 10-node graph: open, one request, one response, close; 16 at a time',
    unit: 'request',
    ours: [...stream, '-restart', '-c', '16', '-w', '1', '-model', 'chain', '-input', 's0', '-shape', '4'],
    config: { mediapipe_config_list: [{ name: 'chain', base_path: join(ROOT, 'bench/graphs/chain') }] },
    peers: {},
    cpuTargets: {},
    ownTargets: { cpuUs: 300, perSecond: 1000 },
  },
];
