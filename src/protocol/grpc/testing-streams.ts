import { silentLogger } from '../../base/logger.ts';
import { encodeInferRequest, joinParts } from '../wire/infer-codec.ts';
import { listenGrpc, type GrpcListener } from './listen-grpc.ts';
import { BytesClient, FakeDataPlane, requestTo, tensor, type BytesStream } from './testing.ts';

/** Of a request whose input has no data. */
export const WRONG_SIZE = { inputs: [{ ...tensor([]), shape: [1] }] };

export type OpenStream = BytesStream & { send(...request: Parameters<typeof requestTo>): void };

/** For tests of this folder: a listener on a data plane in memory, and a client of its streams. */
export class TestStreams implements AsyncDisposable {
  readonly plane: FakeDataPlane;
  readonly listener: GrpcListener;
  readonly client: BytesClient;
  /** Fields of logged errors. */
  readonly logged: readonly object[];

  private constructor(plane: FakeDataPlane, listener: GrpcListener, logged: readonly object[]) {
    this.plane = plane;
    this.listener = listener;
    this.client = new BytesClient(listener.port);
    this.logged = logged;
  }

  static async start(): Promise<TestStreams> {
    const plane = new FakeDataPlane();
    const logged: object[] = [];
    const logger = { ...silentLogger, error: (fields: object) => void logged.push(fields) };
    const options = { host: '127.0.0.1', port: 0, writeHighWaterBytes: 256 * 1024 };
    return new TestStreams(plane, await listenGrpc(options, plane, logger), logged);
  }

  open(headers: Record<string, string> = {}): OpenStream {
    const stream = this.client.stream('/inference.GRPCInferenceService/ModelStreamInfer', headers);
    return Object.assign(stream, {
      send: (...request: Parameters<typeof requestTo>): void => {
        stream.call.write(joinParts(encodeInferRequest(requestTo(...request))));
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.client.close();
    await this.listener[Symbol.asyncDispose]();
  }
}
