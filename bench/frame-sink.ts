/**
 * A gRPC server, in a process of its own, that takes frames of a stream and does nothing with them: each is answered with a
 * tensor of one byte. On Millrace's own transport, since grpc-js's windows of 64 KiB would make the client wait, and wake, about a
 * hundred times for each frame. Prints its port. Ends with its standard input.
 */
import { silentLogger } from '../src/base/logger.ts';
import { methodOf } from '../src/client/grpc-service.ts';
import { openGrpcJs } from '../src/protocol/grpc/grpc-js.ts';
import { FRAME_BYTES, type Methods } from '../src/protocol/grpc/transport.ts';
import { decodeInferRequest, encodeStreamResponse } from '../src/protocol/wire/infer-codec.ts';

const metadata = {
  name: 'sink',
  inputs: [{ name: 'frame', datatype: 'UINT8', shape: [-1, -1, 3] }],
  outputs: [{ name: 'output', datatype: 'UINT8', shape: [1] }],
};

const methods: Methods = {
  [methodOf('ModelMetadata').path]: {
    kind: 'unary',
    handler: () => [Buffer.concat([Buffer.alloc(FRAME_BYTES), methodOf('ModelMetadata').responseSerialize(metadata)])],
  },
  [methodOf('ModelStreamInfer').path]: {
    kind: 'stream',
    handler: (call) => ({
      onMessage: (message) => {
        const { id, parameters } = decodeInferRequest(message);
        const outputs = [{ name: 'output', datatype: 'UINT8', shape: [1], data: new Uint8Array(1) } as const];
        const response = { servable: 'sink', version: '1', id, parameters, outputs };
        call.write(encodeStreamResponse(response, FRAME_BYTES));
      },
      onHalfClose: () => call.end(),
      onDrain: () => {},
    }),
  },
};

const server = await openGrpcJs(
  { host: '127.0.0.1', port: 0, maxMessageBytes: 2 ** 30, writeHighWaterBytes: 2 ** 20, pool: undefined },
  methods,
  silentLogger,
);
console.log(server.port);
process.stdin.on('end', () => process.exit()).resume();
