import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { confinement } from '../../src/media/sources/confinement.ts';
import { openSource, type SourceOptions } from '../../src/media/sources/ffmpeg-source.ts';
import { PERSON } from '../support/clips.ts';

const clip = readFileSync(PERSON);
let inner: Server;
let outer: Server;
/** Requests that came to a host that is not allowed. */
let reached = 0;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  inner = createServer((_request, response) => {
    reached++;
    response.end(clip);
  }).listen(0, '127.0.0.1');
  await once(inner, 'listening');
  const elsewhere = `http://127.0.0.1:${portOf(inner)}/clip.mp4`;
  outer = createServer((request, response) => {
    if (request.url?.startsWith('/moved') === true) response.writeHead(302, { location: elsewhere }).end();
    else if (request.url === '/list.m3u8') response.end(`#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${elsewhere}\n`);
    else response.end(clip);
  }).listen(0, '127.0.0.1');
  await once(outer, 'listening');
});
afterAll(() => {
  for (const server of [inner, outer]) {
    server.closeAllConnections();
    server.close();
  }
});

async function frames(path: string, options: SourceOptions): Promise<number> {
  await using source = await openSource(`http://${path.replace('HOST', `127.0.0.1:${portOf(outer)}`)}`, options);
  let count = 0;
  while ((await source.next()) !== undefined) count++;
  return count;
}

it('a confined video over HTTP is read from its own host', async () => {
  await expect(frames('HOST/clip.mp4', { isConfined: true })).resolves.toBe(150);
  expect(reached).toBe(0);
});

it.each(['HOST/moved.mp4', 'me:secret@HOST/moved.mp4', 'HOST/list.m3u8'])(
  '%s leads to no other host where it is confined',
  async (path) => {
    const { knowsRedirects } = await confinement();
    reached = 0;
    const reading = frames(path, { isConfined: true });
    if (knowsRedirects || path.endsWith('.m3u8')) {
      await expect(reading).rejects.toMatchObject({ reason: 'SOURCE_FAILED' });
      expect(reached).toBe(0);
    } else await reading;
  },
);

it('without that a redirect is followed', async () => {
  await expect(frames('HOST/moved.mp4', {})).resolves.toBe(150);
});
