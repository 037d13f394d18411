import { expect, it } from 'vitest';
import { Tally } from '../../stream-client/tally.ts';
import { ProgressLine, progressText } from './progress-line.ts';

it('says how many frames, how fast and what was dropped where', () => {
  const tally = new Tally();
  tally.sent = 9;
  tally.refused = 2;
  for (const time of [0, 33_000, 66_000]) tally.showed(time);
  for (const ms of [10, 20, 30]) tally.latency(ms);
  const text = progressText(tally.report(undefined, undefined, 3), 29.97);
  expect(text).toMatch(
    /^3 of 9 frames, 30\.0 fps, latency p50 20\.\d* p99 30\.?\d* ms, dropped: 3 unanswered, 2 refused$/,
  );
  expect(progressText(new Tally().report(undefined, undefined, 0), 0)).toContain('dropped: none');
});

it('notes are lines of their own, and quiet shows no progress', () => {
  const written: string[] = [];
  const line = new ProgressLine((text) => written.push(text), false);
  line.start(() => new Tally().report(undefined, undefined, 0));
  line.note('lost');
  line.end();
  expect(written).toEqual(['millrace: lost\n']);
});
