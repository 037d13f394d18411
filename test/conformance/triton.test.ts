import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import type { Answer } from './triton/case.ts';
import { comparable, difference } from './triton/compare.ts';
import { DIFFERENCES } from './triton/differences.ts';
import { toExchanges } from './triton/encode.ts';
import { Exchanger } from './triton/exchange.ts';
import { CASES } from './triton/requests.ts';
import { SharedObject } from './triton/shared-object.ts';

/** Recorded from a live Triton by `npm run compare`. */
const answers = JSON.parse(readFileSync(new URL('triton/answers.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Answer>
>;
const exchanges = toExchanges(CASES);

test('every exchange has an answer of Triton, every answer and every listed difference an exchange', () => {
  const keys = exchanges.map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(Object.keys(answers).toSorted()).toEqual(keys.toSorted());
  expect(Object.keys(DIFFERENCES).filter((key) => !keys.includes(key))).toEqual([]);
});

describe('answers what Triton answers', () => {
  let server: TestServer;
  let exchanger: Exchanger;
  let object: SharedObject;

  beforeAll(async () => {
    object = new SharedObject();
    server = await startServer({
      flags: [
        ...['--model_repository', join(ROOT, 'test/conformance/triton/models'), '--shared_memory'],
        ...['--model_control_mode', 'explicit', '--load_model', '*'],
      ],
    });
    exchanger = new Exchanger(server.grpcAddress, server.restUrl);
  });
  afterAll(async () => {
    exchanger[Symbol.dispose]();
    object[Symbol.dispose]();
    await server.stop();
  });

  test.each(exchanges.map((exchange) => [exchange.key, exchange] as const))('%s', async (key, exchange) => {
    const theirs = answers[key];
    if (theirs === undefined) throw new Error(`no recorded answer for "${key}"`);
    const ours = await exchanger.put(exchange);
    if ('code' in ours && ours.code !== 0) expect(ours.text).not.toBe('');
    const where = difference(theirs, ours, exchange.compare);
    if (Object.hasOwn(DIFFERENCES, key)) {
      expect(where, 'listed as a difference, and is none').toBeDefined();
    } else if (exchange.compare !== 'shape') {
      expect(comparable(ours, exchange.compare)).toEqual(comparable(theirs, exchange.compare));
      expect(where).toBeUndefined();
    } else {
      expect(where, `${where}\nTriton: ${JSON.stringify(theirs)}\nours: ${JSON.stringify(ours)}`).toBeUndefined();
    }
  });
});
