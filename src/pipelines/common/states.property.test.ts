import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIFE, OPERATIONS, operateOnAll, OPERATION_TABLE, SOURCE_STATES, type SourceState } from './states.ts';

const state = fc.constantFrom(...SOURCE_STATES);
const operation = fc.constantFrom(...OPERATIONS);

test('a pipeline is terminated in every state, and a second time as well', () => {
  fc.assert(
    fc.property(fc.array(state, { minLength: 1, maxLength: 4 }), (states) => {
      expect(operateOnAll('terminate', states).answer).not.toBe('refused');
    }),
  );
});

test('an operation changes every source that lives, or none', () => {
  fc.assert(
    fc.property(operation, fc.array(state, { minLength: 1, maxLength: 4 }), (asked, states) => {
      const answer = operateOnAll(asked, states);
      if (answer.answer === 'refused') {
        expect(OPERATION_TABLE[asked][answer.state].answer).toBe('refused');
        return;
      }
      for (const index of answer.sources)
        expect(OPERATION_TABLE[asked][states[index] as SourceState].answer).toBe('done');
      const alive = states.filter((each) => each !== 'ENDED' && each !== 'ERROR');
      for (const each of alive) expect(OPERATION_TABLE[asked][each].answer).not.toBe('refused');
    }),
  );
});

test('each state that an operation leads to may follow the one before it', () => {
  for (const asked of OPERATIONS) {
    for (const before of SOURCE_STATES) {
      const cell = OPERATION_TABLE[asked][before];
      if (cell.answer === 'done') expect(LIFE[before], `${asked} in ${before}`).toContain(cell.next);
    }
  }
});

test("mute and resume are refused where Roboflow's refuse them", () => {
  const allowed = (asked: 'mute' | 'resume'): SourceState[] =>
    SOURCE_STATES.filter((before) => OPERATION_TABLE[asked][before].answer === 'done');
  expect(allowed('mute')).toEqual(['RUNNING']);
  expect(allowed('resume')).toEqual(['PAUSED', 'MUTED']);
});
