/** The RTSP server of the tests as a program: `npx tsx test/support/rtsp-server.ts [port]`, until a signal. */
import { once } from 'node:events';
import { RtspRelay } from './rtsp-relay.ts';

const relay = await RtspRelay.start({ port: Number(process.argv[2] ?? 8554) });
process.stdout.write(`RTSP on ${relay.url('')}\n`);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await relay.stop();
