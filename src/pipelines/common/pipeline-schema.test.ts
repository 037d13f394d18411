import { expect, test } from 'vitest';
import { describeIssues } from '../../base/schema-issues.ts';
import { withoutSecrets } from '../../media/ffmpeg/redact.ts';
import { pipelineSchema } from './pipeline-schema.ts';

const base = { video_reference: '/v/a.mp4', model_id: 'm' };

test.each([
  [{ type: 'mqtt', url: 'mqtt://us%er:secret@h', topic: 'x' }, 'written as %25'],
  [{ type: 'webhook', url: 'https://u:%zzsecret@h/' }, 'written as %25'],
  [{ type: 'websocket', url: 'wss://u:%zzsecret@h/' }, 'written as %25'],
  [
    { type: 'webhook', url: 'https://h/', headers: { 'x-key': 'secret\n' } },
    'sinks[0].headers: "***" given, "x-key" has',
  ],
  [
    { type: 'webhook', url: 'https://h/', headers: { 'x-key': 'secret\u0141' } },
    'sinks[0].headers: "***" given, "x-key" has',
  ],
  [{ type: 'webhook', url: 'https://h/', headers: { 'x key': 'secret' } }, '"x key" is no name of a header'],
])('a sink that could only fail is refused without its secrets: %j', (sink, text) => {
  const given = { ...base, sinks: [sink] };
  const parsed = pipelineSchema.safeParse(given);
  const issues = describeIssues(parsed.error!, withoutSecrets(given));
  expect(issues).toContain(text);
  expect(issues).not.toContain('secret');
});

test('what can be sent is taken', () => {
  const sinks = [
    { type: 'mqtt', url: 'mqtt://us%25er:p@h', topic: 'x' },
    { type: 'webhook', url: 'https://h/', headers: { Authorization: 'Bearer a\té', 'x-empty': '' } },
  ];
  expect(pipelineSchema.safeParse({ ...base, sinks }).success).toBe(true);
});
