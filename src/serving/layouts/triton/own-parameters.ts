import { z } from 'zod';
import { didYouMean, listed } from '../../../base/nearest.ts';
import type { RequestLimit } from '../../model-scheduling.ts';
import type { ConfigFile } from './config-file.ts';
import type { Server } from './platform.ts';

/** What begins so in `parameters` is for Millrace. */
const PREFIX = 'millrace.';

const whole = (least: number) =>
  z
    .int()
    .min(least)
    .max(2 ** 31 - 1);

const SCHEMAS = {
  max_sessions: whole(1),
  run_deadline_ms: whole(0),
  max_requests_per_second: z.number().positive(),
  max_concurrent_requests: whole(1),
  load_timeout_ms: whole(0),
  call_deadline_ms: whole(0),
} as const;

type Key = keyof typeof SCHEMAS;

/** Which of them make sense where. */
const KEYS: Readonly<Record<Server, readonly Key[]>> = {
  onnx: ['max_sessions', 'run_deadline_ms', 'max_requests_per_second', 'max_concurrent_requests'],
  runtime: ['max_sessions', 'load_timeout_ms', 'call_deadline_ms'],
  graph: ['max_sessions', 'load_timeout_ms', 'call_deadline_ms'],
  ensemble: ['max_sessions'],
};

/** Limits that Triton's configuration has no field for, as entries of other layouts have them. */
export type OwnParameters = Readonly<Partial<Record<Key, number>>>;

export const isOwnParameter = (key: string): boolean => key.startsWith(PREFIX);

/** @throws Error naming a key or value that cannot be taken */
export function ownParameters({ config, place }: ConfigFile, server: Server): OwnParameters {
  const read: Partial<Record<Key, number>> = {};
  for (const [name, { string_value: text }] of Object.entries(config.parameters)) {
    if (!isOwnParameter(name)) continue;
    const key = KEYS[server].find((each) => `${PREFIX}${each}` === name);
    if (key === undefined) {
      const known = KEYS[server].map((each) => `${PREFIX}${each}`);
      const meant = didYouMean(name, known) || `; ${listed(known)} expected`;
      throw new Error(`${place('parameters')}: unknown parameter "${name}"${meant}`);
    }
    const { data } = SCHEMAS[key].safeParse(text.trim() === '' ? undefined : Number(text));
    if (data === undefined) {
      const expected = key === 'max_requests_per_second' ? 'a number above 0' : 'a whole number';
      throw new Error(`${place('parameters')}: ${name}: "${text}" given, ${expected} expected`);
    }
    read[key] = data;
  }
  return read;
}

export function toRequestLimit({
  max_requests_per_second: maxPerSecond = 0,
  max_concurrent_requests: maxAtOnce = 0,
}: OwnParameters): RequestLimit | undefined {
  return maxPerSecond > 0 || maxAtOnce > 0 ? { maxPerSecond, maxAtOnce } : undefined;
}
