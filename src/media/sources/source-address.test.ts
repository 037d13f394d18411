import { expect, it } from 'vitest';
import { concealedInput, inputArguments } from './input-arguments.ts';
import { parseSourceAddress } from './source-address.ts';

it.each([
  ['0', 'camera', '/dev/video0'],
  ['12', 'camera', '/dev/video12'],
  ['/dev/video3', 'camera', '/dev/video3'],
  ['rtsp://host/a', 'rtsp', 'rtsp://host/a'],
  ['HTTPS://host/a.mp4', 'http', 'HTTPS://host/a.mp4'],
  ['rtmp://host/a', 'network', 'rtmp://host/a'],
  ['lavfi:testsrc', 'generator', 'testsrc'],
  ['video.mp4', 'file', 'file:video.mp4'],
  ['file:video.mp4', 'file', 'file:video.mp4'],
  ['file:///tmp/video.mp4', 'file', 'file:/tmp/video.mp4'],
  // Neither a protocol nor an option of ffmpeg's.
  ['concat:a|b', 'file', 'file:concat:a|b'],
  ['-version', 'file', 'file:-version'],
])('%s is a %s', (text, kind, url) => {
  expect(parseSourceAddress(text)).toMatchObject({ kind, url });
});

it('shows no credentials', () => {
  expect(parseSourceAddress('rtsp://me:secret@host/a').label).toBe('rtsp://***@host/a');
});

it('a file may not lead ffmpeg to the network', () => {
  const { args } = inputArguments(parseSourceAddress('playlist.m3u8'), 'tcp');
  expect(args[args.indexOf('-protocol_whitelist') + 1]).toBe('file,crypto,data');
});

it('nothing is no source', () => {
  expect(() => parseSourceAddress(' ')).toThrow('no video source given');
});

it.each([
  ["rtsp://me:it's@host/a", "file 'rtsp://me:it'\\''s@host/a'\noption rtsp_transport udp\n"],
  ['http://me:secret@host/mjpg', "file 'http://me:secret@host/mjpg'\n"],
  ['srt://host:9000?passphrase=secret', "file 'srt://host:9000?passphrase=secret'\n"],
])('%s is read from a pipe', (text, script) => {
  const input = concealedInput(parseSourceAddress(text), 'udp');
  expect(input?.script).toBe(`ffconcat version 1.0\n${script}`);
  expect(input?.args.join(' ')).toMatch(/-protocol_whitelist pipe,\S+ -i pipe:0$/);
  expect(input?.args.join(' ')).not.toMatch(/secret|it's/);
});

it.each(['rtsp://host/a', 'http://host/a', '/video/a@b.mp4', '0', 'lavfi:testsrc'])(
  '%s has nothing to hide',
  (text) => {
    expect(concealedInput(parseSourceAddress(text), 'tcp')).toBeUndefined();
  },
);

it('an address of several lines is refused where it would be read as one script', () => {
  const address = parseSourceAddress('rtsp://me:secret@host/a\noption x y');
  expect(() => concealedInput(address, 'tcp')).toThrow('an address of one line expected');
});
