import { Client, credentials, type ClientDuplexStream } from '@grpc/grpc-js';
import { decodeStreamResponse, encodeInferRequest, joinParts } from '../../src/protocol/wire/infer-codec.ts';
import type { InferenceResponse } from '../../src/tensor/inference.ts';
import type { Parameters } from '../../src/tensor/parameters.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** One ModelStreamInfer RPC on a servable; collects what comes. */
export class RawStream {
  readonly sent: (readonly Tensor[])[] = [];
  readonly responses: InferenceResponse[] = [];
  readonly errors: string[] = [];
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #servable: string;
  readonly #ended: Promise<number>;

  constructor(address: string, servable: string) {
    this.#servable = servable;
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
    const same = (bytes: Buffer): Buffer => bytes;
    this.#call = this.#client.makeBidiStreamRequest('/inference.GRPCInferenceService/ModelStreamInfer', same, same);
    this.#call.on('error', () => {}); // `status` follows
    this.#call.on('data', (bytes: Buffer) => {
      const { errorMessage, response } = decodeStreamResponse(bytes);
      if (errorMessage !== '') this.errors.push(errorMessage);
      else if (response !== undefined) this.responses.push(response);
    });
    this.#ended = new Promise((resolve) => this.#call.on('status', ({ code }) => resolve(code)));
  }

  send(inputs: readonly Tensor[], { id = '', parameters }: { id?: string; parameters?: Parameters } = {}): void {
    this.sent.push(inputs);
    const request = { servable: this.#servable, version: '', id, parameters, inputs, outputs: [] };
    this.#call.write(joinParts(encodeInferRequest(request)));
  }

  /** Half-closes; resolves with the status code when all responses have come. */
  async end(): Promise<number> {
    this.#call.end();
    const code = await this.#ended;
    this.#client.close();
    return code;
  }
}
