import {
  Client,
  credentials,
  type ChannelOptions,
  type ClientDuplexStream,
  type MethodDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { join } from 'node:path';
import { ROOT } from './paths.ts';

type Method = MethodDefinition<object, object>;

function loadMethods(): ReadonlyMap<string, Method> {
  const definition = loadSync('grpc_service.proto', {
    includeDirs: [join(ROOT, 'protos')],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
  });
  const service = definition['inference.GRPCInferenceService'];
  if (service === undefined || 'format' in service) throw new Error('protos/grpc_service.proto has no such service');
  return new Map(Object.entries(service));
}

export interface RpcOutcome {
  readonly code: number;
  readonly text: string;
  /** In the order of their arrival; one at most where the RPC is unary. */
  readonly responses: readonly object[];
}

/** A KServe v2 client over any method of the published service; messages are plain objects as proto-loader has them. */
export class KserveGrpc implements Disposable {
  readonly #client: Client;
  readonly #methods = loadMethods();

  constructor(address: string, options: ChannelOptions = {}) {
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      ...options,
    });
  }

  unary(name: string, message: object, timeoutMs = 10_000): Promise<RpcOutcome> {
    const method = this.#method(name);
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        message,
        { deadline: Date.now() + timeoutMs },
        (error, response) =>
          resolve({
            code: error?.code ?? 0,
            text: error?.details ?? '',
            responses: response === undefined ? [] : [response],
          }),
      );
    });
  }

  /** Sends all messages, half-closes, and collects what comes until the RPC ends. */
  stream(name: string, messages: readonly object[], timeoutMs = 10_000): Promise<RpcOutcome> {
    const call = this.open(name, timeoutMs);
    const responses: object[] = [];
    return new Promise((resolve) => {
      call.on('data', (response: object) => responses.push(response));
      call.on('error', () => {}); // `status` follows
      call.on('status', ({ code, details }) => resolve({ code, text: code === 0 ? '' : details, responses }));
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  /** The bare call, for tests that leave it half way. */
  open(name: string, timeoutMs = 10_000): ClientDuplexStream<object, object> {
    const method = this.#method(name);
    return this.#client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, {
      deadline: Date.now() + timeoutMs,
    });
  }

  close(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #method(name: string): Method {
    const method = this.#methods.get(name);
    if (method === undefined) throw new Error(`no method ${name} in protos/grpc_service.proto`);
    return method;
  }
}
