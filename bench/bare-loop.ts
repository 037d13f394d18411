/**
 * ONNX Runtime alone, in a process of its own: runs a model of one FP32 input over and over and prints runs per second.
 *   tsx bench/bare-loop.ts model.onnx 1,192,192,3 threads seconds
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [path = '', shape = '', threads = '1', seconds = '1'] = process.argv.slice(2);
const dims = shape.split(',').map(Number);
const session = await InferenceSession.create(path, {
  intraOpNumThreads: Number(threads),
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});
const input = new Tensor('float32', new Float32Array(dims.reduce((size, dim) => size * dim)), dims);
const feeds = { [session.inputNames[0] ?? '']: input };

async function runsIn(ms: number): Promise<number> {
  const begun = performance.now();
  let runs = 0;
  for (; performance.now() - begun < ms; runs++) await session.run(feeds);
  return runs / ((performance.now() - begun) / 1000);
}

await runsIn(1000);
console.log(await runsIn(Number(seconds) * 1000));
await session.release();
