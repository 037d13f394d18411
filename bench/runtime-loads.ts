import type { LoadFlags } from './loads.ts';

/** Responses to one prompt. */
const WORDS = 100;
const PROMPT = Array.from({ length: WORDS }, (_, i) => `w${i}`).join(' ');

/** One load for runtimes; the models `echo` and `text-model` are everywhere, so every server takes the same. */
export interface RuntimeLoad {
  readonly id: string;
  readonly title: string;
  readonly flags: LoadFlags;
  /** Responses that one request brings: what figures are given per. */
  readonly responses: number;
  /** Which port takes it. */
  readonly via: 'rest' | 'mlserver';
  /** Our CPU time per response over MLServer's, with the runtime in TypeScript: at most this. */
  readonly cpuTarget: number;
}

const echo = ['-model', 'echo', '-input', 'x', '-shape', '1,4'];
const words = ['-model', 'text-model', '-input', 'prompt', '-datatype', 'BYTES', '-shape', '1', '-text', PROMPT];
const body = JSON.stringify({ inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], data: [PROMPT] }] });

export const RUNTIME_LOADS: readonly RuntimeLoad[] = [
  {
    id: 'echo-grpc',
    title: 'unary gRPC, FP32 [1,4], 16 at a time',
    flags: ['-c', '16', ...echo],
    responses: 1,
    via: 'mlserver',
    cpuTarget: 0.2,
  },
  {
    id: 'echo-rest',
    title: 'REST infer, FP32 [1,4], 16 at a time',
    flags: ['-mode', 'rest', '-c', '16', ...echo],
    responses: 1,
    via: 'rest',
    cpuTarget: 0.3,
  },
  {
    id: 'words-grpc',
    title: `gRPC streams, ${WORDS} responses each, 4 at a time`,
    // MLServer answers after the half-close only: a new stream for every request.
    flags: ['-mode', 'stream', '-restart', '-c', '4', '-responses', String(WORDS), ...words],
    responses: WORDS,
    via: 'mlserver',
    cpuTarget: 0.5,
  },
  {
    id: 'words-sse',
    title: `generate_stream, ${WORDS} events each, 4 at a time`,
    flags: ['-mode', 'sse', '-c', '4', '-responses', String(WORDS), '-model', 'text-model', '-body', body],
    responses: WORDS,
    via: 'rest',
    cpuTarget: 0.7,
  },
];
