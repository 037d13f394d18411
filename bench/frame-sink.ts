/**
 * A gRPC server, in a process of its own, that takes frames of a stream and does nothing with them: each is answered with a
 * tensor of one byte. Prints its port. Ends with its standard input.
 */
import { Server, ServerCredentials, type ServerDuplexStream, type sendUnaryData } from '@grpc/grpc-js';
import { decodeInferRequest, encodeStreamResponse, joinParts } from '../src/protocol/wire/infer-codec.ts';
import { methodOf } from '../src/client/grpc-service.ts';

const bytes = (message: Buffer): Buffer => message;
const raw = (name: string) => ({
  ...methodOf(name),
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

function answer(stream: ServerDuplexStream<Buffer, Buffer>): void {
  stream.on('data', (message: Buffer) => {
    const { id, parameters } = decodeInferRequest(message);
    const outputs = [{ name: 'output', datatype: 'UINT8', shape: [1], data: new Uint8Array(1) } as const];
    stream.write(joinParts(encodeStreamResponse({ servable: 'sink', version: '1', id, parameters, outputs })));
  });
  stream.on('end', () => stream.end());
}

const server = new Server({
  'grpc.max_receive_message_length': -1,
  'grpc-node.flow_control_window': 16 * 2 ** 20,
});
server.addService(
  { ModelMetadata: methodOf('ModelMetadata'), ModelStreamInfer: raw('ModelStreamInfer') },
  {
    ModelMetadata: (_: unknown, done: sendUnaryData<object>) =>
      done(null, {
        name: 'sink',
        inputs: [{ name: 'frame', datatype: 'UINT8', shape: [-1, -1, 3] }],
        outputs: [{ name: 'output', datatype: 'UINT8', shape: [1] }],
      }),
    ModelStreamInfer: answer,
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(port);
});
process.stdin.on('end', () => process.exit()).resume();
