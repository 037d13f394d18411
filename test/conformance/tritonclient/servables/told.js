// Says what it was told: request parameters, and headers that begin with x-. Fails where TEXT is "fail", after a while where it
// is "slow".
import { setTimeout as sleep } from 'node:timers/promises';

const text = (value) => {
  const bytes = Buffer.from(value);
  const data = Buffer.alloc(4 + bytes.length);
  data.writeUInt32LE(bytes.length, 0);
  bytes.copy(data, 4);
  return { name: 'TOLD', datatype: 'BYTES', shape: [1], data };
};

export default {
  inputs: [
    { name: 'TEXT', datatype: 'BYTES', shape: [1], optional: true },
    { name: 'MORE', datatype: 'FP32', shape: [-1], optional: true },
  ],
  outputs: [{ name: 'TOLD', datatype: 'BYTES', shape: [1] }],
  async predict(request, { headers = {}, signal }) {
    const given = request.inputs.find(({ name }) => name === 'TEXT');
    const word = given === undefined ? '' : Buffer.from(given.data).toString('utf8', 4);
    if (word === 'fail') throw new Error('it was told to fail');
    if (word === 'slow') await sleep(10_000, undefined, { signal });
    const parameters = Object.entries(request.parameters ?? {}).map(([name, value]) => [
      name,
      String(value),
      typeof value,
    ]);
    const own = Object.entries(headers).filter(([name]) => name.startsWith('x-'));
    return { outputs: [text(JSON.stringify({ word, inputs: request.inputs.length, parameters, headers: own }))] };
  },
};
