import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { replayCase, type CaseFailure, type CaseOutcome, type GraphCase } from '../../graph-tools/replay.ts';
import { CalculatorRegistry } from '../../graph/index.ts';
import { coreCalculators } from './index.ts';

interface RecordedCase extends GraphCase {
  readonly expected: CaseOutcome;
}

const cases = ['truth.json', 'more.json'].flatMap((file) => {
  const text = readFileSync(new URL(`../../../test/fixtures/graph-engine/${file}`, import.meta.url), 'utf8');
  return JSON.parse(text) as readonly RecordedCase[];
});
const registry = new CalculatorRegistry(coreCalculators);

/** The log without the texts of failures, which are compared apart. */
const withoutTexts = (log: CaseOutcome['log']) =>
  log?.map(([op, outcome, detail]) => [op, outcome, outcome === 'ok' ? detail : null]);
const lastFailure = (log: CaseOutcome['log']) =>
  log?.findLast(([, outcome]) => outcome === 'error')?.[2] as CaseFailure | undefined;

describe('MediaPipe 0.10.14', () => {
  // throttle_add_if_not_full: the recording itself depends on timing.
  test.each(cases.filter(({ name }) => name !== 'throttle_add_if_not_full'))('$name', async (recorded) => {
    const { expected } = recorded;
    const outcome = await replayCase(recorded, registry);
    if (expected.error !== undefined) {
      expect(outcome.error?.at).toBe('initialize');
      return;
    }
    if (expected.aborts !== undefined) {
      expect(lastFailure(outcome.log)).toBeDefined();
      return;
    }
    expect(outcome.streams).toEqual(expected.streams);
    expect(withoutTexts(outcome.log)).toEqual(withoutTexts(expected.log));
    const failure = lastFailure(expected.log);
    if (failure === undefined) return;
    const own = lastFailure(outcome.log);
    expect(own?.class).toBe(failure.class);
    const [stream = ''] = /(?<=stream:? )"[a-z]+"/.exec(failure.message) ?? [];
    expect(own?.message).toContain(stream);
  });
});
