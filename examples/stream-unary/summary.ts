import { defineRuntime, decodeInput, encodeOutput, MillraceError } from 'millrace';

/** Many requests, one response: takes a stream of chunks of numbers, and tells about all of them at its end. */
export default defineRuntime({
  inputs: [{ name: 'chunk', datatype: 'FP32', shape: [-1] }],
  outputs: [
    { name: 'count', datatype: 'FP64', shape: [1, 1] },
    { name: 'mean', datatype: 'FP64', shape: [1, 1] },
    { name: 'max', datatype: 'FP64', shape: [1, 1] },
  ],

  async *predictStream(requests) {
    let count = 0;
    let sum = 0;
    let max = -Infinity;
    for await (const { inputs } of requests) {
      for (const chunk of inputs.map((input) => decodeInput(input, 'np'))) {
        if (chunk.datatype !== 'FP32') continue; // the server has checked it, but the compiler does not know
        for (const value of chunk.data) {
          count++;
          sum += value;
          max = Math.max(max, value);
        }
      }
    }
    if (count === 0) throw new MillraceError('MISSING_INPUT', 'no numbers came');
    const number = (name: string, value: number) => encodeOutput(name, Float64Array.of(value));
    yield { outputs: [number('count', count), number('mean', sum / count), number('max', max)] };
  },
});
