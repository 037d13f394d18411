import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StreamReport } from '../../src/stream-client/index.ts';
import { PERSON } from '../support/clips.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { StreamClientServer } from '../support/stream-client-server.ts';

let bench: StreamClientServer;
beforeAll(async () => {
  bench = await StreamClientServer.start();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

describe('bad input', () => {
  it.each<[string, () => readonly string[], number, RegExp]>([
    ['no source', () => [], 2, /--input_stream: a camera index, file or URL expected/],
    ['a camera that is not there', () => ['--input_stream', '98'], 1, /camera \/dev\/video98: no such camera/],
    ['a file that is not there', () => ['--input_stream', bench.out('nothing.mp4')], 1, /No such file or directory/],
    [
      'a server that is not there',
      () => ['--input_stream', bench.clip, '--grpc_address', '127.0.0.1:1'],
      1,
      /UNAVAILABLE/,
    ],
    ['a model that is not there', () => ['--input_stream', bench.clip, '--model_name', 'nothing'], 1, /NOT_FOUND/],
    [
      'an input that is not there',
      () => ['--input_stream', bench.clip, '--input_name', 'x'],
      1,
      /has no input "x"; it has "first_input_video"/,
    ],
    ['an output that is not there', () => ['--input_stream', bench.clip, '--output_name', 'x'], 1, /has no output "x"/],
    [
      'no place for the file',
      () => ['--input_stream', bench.clip, '--output_stream', bench.out('no/where.mp4')],
      1,
      /No such file or directory/,
    ],
    [
      'the source as sink',
      () => ['--input_stream', bench.clip, '--output_stream', bench.clip],
      1,
      /this is the source/,
    ],
    [
      'a stream that nobody takes',
      () => ['--input_stream', bench.clip, '--output_stream', 'rtsp://127.0.0.1:1/x'],
      1,
      /Connection refused/,
    ],
    [
      'numbers that are none',
      () => ['--input_stream', bench.clip, '--limit_frames', 'many'],
      2,
      /a number of 0 or more expected/,
    ],
    ['words', () => ['clip.mp4'], 2, /only flags expected/],
  ])('%s', async (_, args, code, message) => {
    const ended = await bench.run(args()).ended;
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
  });

  it('a wrong password is said at once, and not shown', async () => {
    await using relay = await RtspRelay.start({ auth: { user: 'me', password: 'right', scheme: 'digest' } });
    const url = relay.url('a').replace('right', 'wrong');
    const { code, stderr } = await bench.run(['--input_stream', url, '--retry']).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('401');
    expect(stderr).not.toContain('wrong');
  });

  it('no ffmpeg, no display', async () => {
    const empty = await bench.run(['--input_stream', bench.clip], { env: { PATH: bench.folder.path } }).ended;
    expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('install ffmpeg') as string });
    const env = { DISPLAY: '', WAYLAND_DISPLAY: '', SDL_VIDEODRIVER: '' };
    const blind = await bench.run(['--input_stream', bench.clip, '--output_stream', 'screen'], { env }).ended;
    expect(blind).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no display') as string });
  });

  it('a display that is not there', async () => {
    const env = { DISPLAY: ':65535', WAYLAND_DISPLAY: '', SDL_VIDEODRIVER: '' };
    const run = bench.run(['--input_stream', bench.clip, '--output_stream', 'screen'], { env });
    const { code, stderr } = await run.ended;
    expect(stderr).toMatch(/sink screen: no window can be opened on DISPLAY=:65535 \(.*SDL.*\); write to a file/);
    expect(code).toBe(1);
    expect(ranIn('DISPLAY=:65535')).toEqual([]);
  });

  it('frames that the server refuses end the run with its reason', async () => {
    const { code, stderr } = await bench.run(['--input_stream', bench.clip, '--encoding', 'raw', '--datatype', 'FP32'])
      .ended;
    expect(stderr).not.toBe('');
    expect(code).toBe(1);
  });
});

describe('a damaged file', () => {
  it('that was cut says what the decoder complained of, and is shown as far as it goes', async () => {
    const cut = bench.out('cut.mp4');
    await writeFile(cut, (await readFile(PERSON)).subarray(0, 100_000));
    const run = bench.run(['--input_stream', cut, '--benchmark', '--quiet']);
    const { code, stdout, stderr } = await run.ended;
    const report = JSON.parse(stdout) as StreamReport;
    expect(report.frames).toBeGreaterThan(0);
    expect(report.frames).toBeLessThan(150);
    expect(stderr).toBe(
      `millrace: warning: frames may be missing or damaged: the decoder complained ${report.decoder_complaints} times, first: ${report.first_decoder_complaint}\n`,
    );
    expect(report.first_decoder_complaint).toMatch(/partial file|Invalid|error/i);
    expect(code).toBe(0);
  });

  it('a whole one that is stopped early has no complaints', async () => {
    const run = bench.run(['--input_stream', bench.clip, '--limit_frames', '3', '--benchmark', '--quiet']);
    const { stdout, stderr } = await run.ended;
    expect(JSON.parse(stdout)).toMatchObject({ sent: 3, decoder_complaints: 0 });
    expect(stderr).toBe('');
    const refused = ['--model_name', 'silent', '--unary', '--benchmark', '--quiet'];
    const ended = await bench.run(['--input_stream', bench.clip, ...refused]).ended;
    expect(JSON.parse(ended.stdout)).toMatchObject({ answered: 0, decoder_complaints: 0 });
    expect(ended.code).toBe(1);
  });
});

/** Processes with this in their environment. */
function ranIn(variable: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(variable);
    } catch {
      return false; // no process, another user's, or gone
    }
  });
}
