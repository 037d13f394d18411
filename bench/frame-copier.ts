/**
 * The least that a client in Node could cost, in a process of its own: ffmpeg's frames are read into one piece of memory and
 * written to a socket, without gRPC and without a look at them. Arguments are the file, the bytes of a frame and the port; prints
 * the milliseconds of CPU that this process took for each frame, from the first one on, as JSON.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { MediaProcess } from '../src/media/ffmpeg/media-process.ts';

const [video = '', bytes = '', port = ''] = process.argv.slice(2);
const frame = Buffer.allocUnsafeSlow(Number(bytes));
const socket = connect(Number(port), '127.0.0.1');
await once(socket, 'connect');
let [filled, frames] = [0, 0];
let start = process.cpuUsage();
const output = ['-threads', '1', '-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'];
const child: MediaProcess = new MediaProcess({
  program: 'ffmpeg',
  args: ['-nostdin', '-loglevel', 'error', '-threads', '1', '-i', video, ...output],
  target: {
    room: () => frame.subarray(filled),
    filled: (count) => {
      if (frames === 0 && filled === 0) start = process.cpuUsage();
      filled += count;
      if (filled < frame.length) return;
      filled = 0;
      frames++;
      // The same memory comes next: it has left before more is read.
      child.stdout.pause();
      socket.write(frame, () => child.stdout.resume());
    },
  },
});
await child.exit;
socket.end();
await once(socket, 'close');
const { user, system } = process.cpuUsage(start);
console.log(JSON.stringify({ frames, copyMs: (user + system) / 1000 / frames, kernelMs: system / 1000 / frames }));
