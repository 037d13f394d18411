/** Numbers from 0 to below 1 that follow from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

type Mutation = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const cut = (bytes: Buffer, random: Random): [number, number] => {
  const from = random.below(bytes.length + 1);
  return [from, Math.min(bytes.length, from + 1 + random.below(16))];
};

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, random) {
    if (bytes.length === 0) return bytes;
    const at = random.below(bytes.length);
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ (1 << random.below(8));
    return changed;
  },
  function setByte(bytes, random) {
    if (bytes.length === 0) return bytes;
    const changed = Buffer.from(bytes);
    changed[random.below(bytes.length)] = random.of([0, 1, 127, 128, 255, random.below(256)]);
    return changed;
  },
  function removeRange(bytes, random) {
    const [from, to] = cut(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  function insertBytes(bytes, random) {
    const at = random.below(bytes.length + 1);
    const added = Buffer.from(Array.from({ length: 1 + random.below(8) }, () => random.below(256)));
    return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]);
  },
  function longVarint(bytes, random) {
    const at = random.below(bytes.length + 1);
    const length = 1 + random.below(11);
    const varint = Buffer.alloc(length, 0xff);
    varint[length - 1] = random.below(256);
    return Buffer.concat([bytes.subarray(0, at), varint, bytes.subarray(at + 1)]);
  },
  function repeatRange(bytes, random) {
    const [from, to] = cut(bytes, random);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to)]);
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function splice(bytes, random, others) {
    const other = random.of(others);
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]);
  },
];

/** One of `seeds` with one to four changes. */
export function mutated(seeds: readonly Buffer[], random: Random): Buffer {
  let bytes = random.of(seeds);
  for (let left = 1 + random.below(4); left > 0; left--) bytes = random.of(MUTATIONS)(bytes, random, seeds);
  return bytes;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|NaN|Infinity|[[\]{}:,]/g;

/** What takes the place of a token: edges of numbers, texts and structure. */
const EDGES: readonly string[] = [
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775809',
  '18446744073709551616',
  '9007199254740993',
  '1e400',
  '-1',
  '-0',
  '0.1',
  '1e5',
  'NaN',
  '-Infinity',
  'null',
  'true',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '"INPUT"',
  '"BYTES"',
  '"FP16"',
  '"UINT64"',
  '[]',
  '{}',
  '[[[[[1]]]]]',
  `${'['.repeat(120)}${']'.repeat(120)}`,
  '{"a":{"b":[1]}}',
  '"\u00e9\u{1f600}"',
  '',
  ',',
  ']',
  '}',
];

/** One of `seeds`, texts of JSON, with up to two tokens changed, and sometimes bytes. */
export function mutatedJson(seeds: readonly string[], random: Random): Buffer {
  let text = random.of(seeds);
  for (let left = random.below(3); left > 0; left--) {
    const tokens = [...text.matchAll(TOKEN)];
    const token = tokens[random.below(tokens.length)];
    if (token === undefined) break;
    const end = token.index + token[0].length;
    text = text.slice(0, token.index) + random.of(EDGES) + text.slice(end);
  }
  const bytes = Buffer.from(text);
  return random.below(4) === 0 ? mutated([bytes], random) : bytes;
}

/** Cases of a run: few in everyday tests, as many as `FUZZ_CASES` says in long ones. */
export function fuzzCases(few: number): number {
  const wanted = Number(process.env['FUZZ_CASES'] ?? few);
  if (Number.isSafeInteger(wanted) && wanted > 0) return wanted;
  throw new TypeError(`FUZZ_CASES is ${process.env['FUZZ_CASES']}, a number above 0 expected`);
}

/** The seed of a run: the same each time unless `FUZZ_SEED` says otherwise. */
export function fuzzSeed(): number {
  return Number(process.env['FUZZ_SEED'] ?? 20_261_128);
}
