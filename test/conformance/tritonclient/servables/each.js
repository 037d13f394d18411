// The same, one request after another, so that it is known when a request has all its responses.
const int32 = (name, value) => ({
  name,
  datatype: 'INT32',
  shape: [1],
  data: new Uint8Array(Int32Array.of(value).buffer),
});

export default {
  inputs: [{ name: 'IN', datatype: 'INT32', shape: [-1] }],
  outputs: [{ name: 'OUT', datatype: 'INT32', shape: [1] }],
  decoupled: true,
  async *predictStream(requests) {
    for await (const request of requests) {
      const values = new Int32Array(Uint8Array.from(request.inputs[0].data).buffer);
      for (const value of values) yield { id: request.id, outputs: [int32('OUT', value)] };
    }
  },
};
