/**
 * One run of the stream client, in a process of its own: arguments are the file, the server's port and the encoding. Prints the
 * milliseconds of CPU that this process and its decoder took for each frame, from the first frame on, as JSON;
 * `kernelMs` is the part of the client's that is the kernel's.
 */
import { GrpcClient } from '../src/client/index.ts';
import { StreamClient } from '../src/stream-client/index.ts';
import { endedChildrenMs } from './process-usage.ts';

const [source = '', port = '', encoding = 'raw'] = process.argv.slice(2);
using client = new GrpcClient({ address: `127.0.0.1:${port}` });
// ffprobe ends before the first frame.
let start = process.cpuUsage();
let childrenStartMs = 0;
const report = await new StreamClient({
  client,
  model: 'sink',
  inputName: 'frame',
  source,
  encoding: encoding === 'jpeg' ? 'jpeg' : 'raw',
  onEvent: ({ part, event }: { part: string; event?: { type: string } }) => {
    if (part === 'source' && event?.type === 'connected') {
      start = process.cpuUsage();
      childrenStartMs = endedChildrenMs();
    }
  },
}).run();
const { answered } = report;
const { user, system } = process.cpuUsage(start);
console.log(
  JSON.stringify({
    frames: answered,
    clientMs: (user + system) / 1000 / answered,
    kernelMs: system / 1000 / answered,
    decoderMs: (endedChildrenMs() - childrenStartMs) / answered,
  }),
);
