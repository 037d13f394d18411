import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendants, isRunning } from '../support/leaks.ts';
import { pictureDistance } from '../support/picture-distance.ts';
import { StreamClientServer } from '../support/stream-client-server.ts';
import { until } from '../support/until.ts';
import { pictureOf, XDisplay } from '../support/x-display.ts';

const BARS = 'smptebars=size=640x480:rate=15';
/** ΔE: what the ways through YUV change is below 3. */
const ALIKE = 5;

describe.skipIf(!XDisplay.isThere())('a window on an X server', () => {
  let bench: StreamClientServer;
  beforeAll(async () => {
    bench = await StreamClientServer.start();
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
  });

  const start = (display: XDisplay): ReturnType<StreamClientServer['run']> =>
    bench.run(['--input_stream', `lavfi:${BARS}`, '--output_stream', 'screen', '--quiet'], {
      env: { DISPLAY: display.name, WAYLAND_DISPLAY: '', SDL_VIDEODRIVER: '' },
    });

  it('shows the frames that come back, until Ctrl-C', async () => {
    await using display = await XDisplay.start();
    const frame = await pictureOf('-f', 'lavfi', '-i', BARS);
    const distance = async (): Promise<number> => pictureDistance(await display.picture(), frame);
    expect(await distance()).toBeGreaterThan(20);
    const run = start(display);
    await until(async () => (await distance()) < ALIKE);
    const children = descendants(run.child.pid ?? 0);
    run.child.kill('SIGINT');
    expect(await run.ended).toMatchObject({ code: 0, stderr: '' });
    expect(children.filter(isRunning)).toEqual([]);
    expect(await distance()).toBeGreaterThan(20);
  });

  it('ends the client with an error when the X server dies', async () => {
    await using display = await XDisplay.start();
    const frame = await pictureOf('-f', 'lavfi', '-i', BARS);
    const run = start(display);
    await until(async () => pictureDistance(await display.picture(), frame) < ALIKE);
    const children = descendants(run.child.pid ?? 0);
    await display[Symbol.asyncDispose]();
    const { code, stderr } = await run.ended;
    expect(stderr).toContain('sink screen: ');
    expect(code).toBe(1);
    expect(children.filter(isRunning)).toEqual([]);
  });
});
