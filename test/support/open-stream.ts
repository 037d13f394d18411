import { Client, credentials, type ClientDuplexStream } from '@grpc/grpc-js';
import { decodeStreamResponse, encodeInferRequest, joinParts } from '../../src/protocol/wire/infer-codec.ts';
import { tensorOf, typedData, type Tensor } from '../../src/tensor/tensor.ts';

/** One ModelStreamInfer RPC on `counter`, kept open: what goes in comes back added up. */
export class OpenStream {
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #servable: string;
  readonly #answers: number[] = [];
  #wake: (() => void) | undefined;
  /** The RPC's status code. */
  readonly ended: Promise<number>;
  /** The status text, once ended. */
  text = '';

  constructor(address: string, servable: string) {
    this.#servable = servable;
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    const same = (bytes: Buffer): Buffer => bytes;
    this.#call = this.#client.makeBidiStreamRequest('/inference.GRPCInferenceService/ModelStreamInfer', same, same);
    this.#call.on('error', () => {}); // `status` follows
    this.#call.on('data', (bytes: Buffer) => {
      const { errorMessage, response } = decodeStreamResponse(bytes);
      if (errorMessage !== '') throw new Error(errorMessage);
      this.#answers.push(Number(typedData(response?.outputs[0] as Tensor)[0]));
      this.#wake?.();
    });
    this.ended = new Promise((resolve) => {
      this.#call.on('status', ({ code, details }) => {
        this.text = details;
        this.#client.close();
        resolve(code);
      });
    });
  }

  /** Sends a number and waits for the sum; never settles when the stream ends first. */
  async add(value: number): Promise<number> {
    const inputs = [tensorOf('input', 'FP32', [1], Float32Array.of(value))];
    const request = { servable: this.#servable, version: '', id: '', inputs, outputs: [] };
    this.#call.write(joinParts(encodeInferRequest(request)));
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined) return answer;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Half-closes; resolves with the status code. */
  close(): Promise<number> {
    this.#call.end();
    return this.ended;
  }

  cancel(): Promise<number> {
    this.#call.cancel();
    return this.ended;
  }
}
