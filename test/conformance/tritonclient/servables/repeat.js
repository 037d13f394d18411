// Triton's repeat model: IN INT32 [n], DELAY UINT32 [n] in ms; for each element one response of OUT [1] and IDX [1]. Requests of
// a stream run side by side, as they do in Triton.
import { setTimeout as sleep } from 'node:timers/promises';

const int32 = (name, value, datatype) => ({
  name,
  datatype,
  shape: [1],
  data: new Uint8Array(Int32Array.of(value).buffer),
});

async function* repeat(request, signal) {
  const of = (name) => request.inputs.find((input) => input.name === name);
  const numbers = (input) => new Int32Array(Uint8Array.from(input.data).buffer);
  const [values, delays] = [numbers(of('IN')), numbers(of('DELAY'))];
  if (values.length !== delays.length) throw new Error('expected IN and DELAY shape to match');
  for (const [at, value] of values.entries()) {
    await sleep(delays[at], undefined, { signal });
    yield { id: request.id, outputs: [int32('OUT', value, 'INT32'), int32('IDX', at, 'UINT32')] };
  }
}

/** Responses of several requests in the order in which they are ready. */
async function* sideBySide(requests, signal) {
  const running = new Map();
  const source = requests[Symbol.asyncIterator]();
  const step = (key, iterator) =>
    running.set(
      key,
      iterator.next().then((result) => ({ key, iterator, result })),
    );
  step('requests', source);
  let count = 0;
  while (running.size > 0) {
    const { key, iterator, result } = await Promise.race(running.values());
    running.delete(key);
    if (key === 'requests') {
      if (result.done) continue;
      step(`request ${count++}`, repeat(result.value, signal));
      step(key, iterator);
    } else if (!result.done) {
      step(key, iterator);
      yield result.value;
    }
  }
}

export default {
  inputs: [
    { name: 'IN', datatype: 'INT32', shape: [-1] },
    { name: 'DELAY', datatype: 'UINT32', shape: [-1] },
  ],
  outputs: [
    { name: 'OUT', datatype: 'INT32', shape: [1] },
    { name: 'IDX', datatype: 'UINT32', shape: [1] },
  ],
  decoupled: true,
  predictStream: (requests, { signal }) => sideBySide(requests, signal),
};
