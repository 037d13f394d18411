import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { CASES } from './mlserver/cases.ts';
import { comparable } from './mlserver/compare.ts';
import { DIFFERENCES } from './mlserver/differences.ts';
import { Exchanger, type Answer } from './mlserver/exchange.ts';

/** Recorded from a live MLServer on the same folder by `npm run compare:mlserver`. */
const answers = JSON.parse(readFileSync(new URL('mlserver/answers.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Answer>
>;

test('every case has an answer of MLServer, every answer and every listed difference a case', () => {
  const names = CASES.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(answers).toSorted()).toEqual(names.toSorted());
  expect(Object.keys(DIFFERENCES).filter((name) => !names.includes(name))).toEqual([]);
});

describe('answers what MLServer answers, from its own folder', () => {
  let server: TestServer;
  let exchanger: Exchanger;

  beforeAll(async () => {
    // The models use numpy.
    const env = { MILLRACE_PYTHON: await pythonPath('mlserver') };
    server = await startServer({ folder: join(ROOT, 'test/conformance/mlserver/models'), env });
    exchanger = new Exchanger(server.mlserverAddress, server.restUrl);
  });
  afterAll(async () => {
    exchanger[Symbol.dispose]();
    await server.stop();
  });

  test.each(CASES.map((item) => [item.name, item] as const))('%s', async (name, item) => {
    const theirs = answers[name];
    if (theirs === undefined) throw new Error(`no recorded answer for "${name}"`);
    const ours = await exchanger.put(item);
    if (Object.hasOwn(DIFFERENCES, name)) {
      expect(comparable(ours), 'listed as a difference, and is none').not.toEqual(comparable(theirs));
    } else {
      expect(comparable(ours)).toEqual(comparable(theirs));
    }
  });
});
