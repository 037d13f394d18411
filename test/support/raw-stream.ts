import { Client, credentials, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js';
import {
  decodeInferResponse,
  decodeStreamResponse,
  encodeInferRequest,
  joinParts,
} from '../../src/protocol/wire/infer-codec.ts';
import type { InferenceResponse } from '../../src/tensor/inference.ts';
import type { Parameters } from '../../src/tensor/parameters.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** How an RPC ended. */
export interface StreamEnd {
  readonly code: number;
  readonly text: string;
  /** Trailing metadata. */
  readonly trailers: Readonly<Record<string, unknown>>;
}

interface StreamOptions {
  readonly deadlineMs?: number;
  /** Default "": the servable's default. */
  readonly version?: string;
  /** `mlserver`: answers are plain responses. Default: Triton's. */
  readonly dialect?: 'triton' | 'mlserver';
}

/** One ModelStreamInfer RPC on a servable; collects what comes. */
export class RawStream {
  readonly sent: (readonly Tensor[])[] = [];
  readonly responses: InferenceResponse[] = [];
  readonly errors: string[] = [];
  readonly ended: Promise<StreamEnd>;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #servable: string;
  readonly #version: string;
  #wake: () => void = () => {};

  constructor(address: string, servable: string, options: StreamOptions = {}) {
    const { deadlineMs = Infinity, version = '', dialect = 'triton' } = options;
    this.#servable = servable;
    this.#version = version;
    const client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.use_local_subchannel_pool': 1, // a connection of its own
    });
    const same = (bytes: Buffer): Buffer => bytes;
    const path = '/inference.GRPCInferenceService/ModelStreamInfer';
    this.#call = client.makeBidiStreamRequest(path, same, same, { deadline: Date.now() + deadlineMs });
    this.#call.on('error', () => {}); // `status` follows
    this.#call.on('data', (bytes: Buffer) => {
      const { errorMessage, response } =
        dialect === 'triton' ? decodeStreamResponse(bytes) : { errorMessage: '', response: decodeInferResponse(bytes) };
      if (errorMessage !== '') this.errors.push(errorMessage);
      else if (response !== undefined) this.responses.push(response);
      this.#wake();
    });
    this.ended = new Promise((resolve) =>
      this.#call.on('status', ({ code, details, metadata }: StatusObject) => {
        client.close();
        resolve({ code, text: details, trailers: metadata.getMap() });
      }),
    );
  }

  send(inputs: readonly Tensor[], { id = '', parameters }: { id?: string; parameters?: Parameters } = {}): void {
    this.sent.push(inputs);
    const request = { servable: this.#servable, version: this.#version, id, parameters, inputs, outputs: [] };
    this.#call.write(joinParts(encodeInferRequest(request)));
  }

  /** Waits for so many responses and errors; never settles when the stream ends first. */
  async received(count: number): Promise<void> {
    while (this.responses.length + this.errors.length < count) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  halfClose(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** Half-closes; resolves with the status code when all responses have come. */
  async end(): Promise<number> {
    this.halfClose();
    return (await this.ended).code;
  }
}
