/**
 * ONNX Runtime alone, in a process of its own: runs a model over and over and prints rows per second.
 *   tsx bench/bare-loop.ts model.onnx rows columns threads seconds
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [path = '', ...numbers] = process.argv.slice(2);
const [rows = 1, columns = 1, threads = 1, seconds = 1] = numbers.map(Number);
const session = await InferenceSession.create(path, {
  intraOpNumThreads: threads,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});
const input = new Tensor('float32', new Float32Array(rows * columns), [rows, columns]);
const feeds = { [session.inputNames[0] ?? '']: input };

async function runsIn(ms: number): Promise<number> {
  const begun = performance.now();
  let runs = 0;
  for (; performance.now() - begun < ms; runs++) await session.run(feeds);
  return runs / ((performance.now() - begun) / 1000);
}

await runsIn(1000);
console.log((await runsIn(seconds * 1000)) * rows);
await session.release();
