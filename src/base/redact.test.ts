import { expect, test } from 'vitest';
import { redactText, redactUrl } from './redact.ts';

test.each([
  ['rtsp://admin:pass@10.0.0.7:554/live', 'rtsp://[redacted]@10.0.0.7:554/live'],
  ['rtsp://admin@10.0.0.7/live', 'rtsp://[redacted]@10.0.0.7/live'],
  ['rtsp://admin:p@ss/w@10.0.0.7/live', 'rtsp://[redacted]@10.0.0.7/live'],
  ['rtsp://admin:p?ss#1@10.0.0.7/live', 'rtsp://[redacted]@10.0.0.7/live'],
  ['rtsp://10.0.0.7:554/user@room', 'rtsp://10.0.0.7:554/user@room'],
  ['http://host/a?x=1&token=abc&y=2#z', 'http://host/a?x=1&token=[redacted]&y=2#z'],
  ['https://u:p@host/a?api_key=abc', 'https://[redacted]@host/a?api_key=[redacted]'],
  ['/v2/models/m/infer?access_token=abc', '/v2/models/m/infer?access_token=[redacted]'],
  ['rtsp://10.0.0.7/user=admin_password=abc_channel=1', 'rtsp://10.0.0.7/user=[redacted]'],
  [
    'rtsp://10.0.0.7/live?user=admin&pwd=abc&channel=1',
    'rtsp://10.0.0.7/live?user=[redacted]&pwd=[redacted]&channel=1',
  ],
  [
    'srt://10.0.0.7:9000?streamid=read:cam:u:p&passphrase=abc',
    'srt://10.0.0.7:9000?streamid=[redacted]&passphrase=[redacted]',
  ],
  ['https://s3/a.mp4?X-Amz-Signature=abc&x=1', 'https://s3/a.mp4?X-Amz-Signature=[redacted]&x=1'],
  ['rtsp:/admin:secret@cam/live', 'rtsp:/[redacted]@cam/live'],
  ['http://10.0.0.7:80/to/rtsp://u:p@cam', 'http://10.0.0.7:80/to/rtsp://[redacted]@cam'],
  ['file.mp4', 'file.mp4'],
  ['http://host/a?next=mail@x', 'http://host/a?next=mail@x'],
])('%s', (url, expected) => {
  expect(redactUrl(url)).toBe(expected);
});

const secret = `millrace_0123456789ab_${'Aa-_'.repeat(10)}xyz`;

test.each([
  [`{"headers":{"authorization":"Bearer ${secret}"}}`, '{"headers":{"authorization":"[redacted]"}}'],
  ['{"Cookie":["a=1","b=\\"]2"],"x":1}', '{"Cookie":"[redacted]","x":1}'],
  ['{"x-api-key":"q\\"q","msg":"kept"}', '{"x-api-key":"[redacted]","msg":"kept"}'],
  ['{"path":"/a/rtsp:/u:p@host/s"}', '{"path":"/a/rtsp:/[redacted]@host/s"}'],
  ['{"raw":["Authorization","Bearer abcdefgh12345678"]}', '{"raw":["Authorization","Bearer [redacted]"]}'],
  [`{"msg":"bad token ${secret}"}`, '{"msg":"bad token millrace_0123456789ab_[redacted]"}'],
  [
    '{"url":"/v2?access_token=abc&x=1","msg":"rtsp://u:p/q@host/s failed"}',
    '{"url":"/v2?access_token=[redacted]&x=1","msg":"rtsp://[redacted]@host/s failed"}',
  ],
  [
    '{"challenge":"Bearer realm=\\"millrace\\"","at":"http://127.0.0.1:8080/a@b"}',
    '{"challenge":"Bearer realm=\\"millrace\\"","at":"http://127.0.0.1:8080/a@b"}',
  ],
])('%s', (line, expected) => {
  expect(redactText(line)).toBe(expected);
});

test('takes time in proportion to the length of a hostile line', () => {
  const hostile = [
    'a',
    '://',
    '://u:',
    '://u:1/',
    '://u:@',
    '"cookie":[',
    '"cookie":"',
    'Bearer ',
    '?token=',
    'millrace_0123456789ab_',
  ];
  for (const piece of hostile) {
    expect(redactText(piece.repeat(1e6 / piece.length)).length, piece).toBeGreaterThan(0);
    expect(redactUrl(piece.repeat(1e6 / piece.length)).length, piece).toBeGreaterThan(0);
  }
}, 20_000);
