import { tensorOf, typedData, type Tensor } from '../../src/tensor/tensor.ts';
import { RawStream } from './raw-stream.ts';

/** A stream on `counter`, kept open: what goes in comes back added up. */
export class OpenStream {
  readonly #stream: RawStream;
  #sent = 0;
  /** The RPC's status code. */
  readonly ended: Promise<number>;
  /** The status text, once ended. */
  text = '';

  constructor(address: string, servable: string) {
    this.#stream = new RawStream(address, servable);
    this.ended = this.#stream.ended.then(({ code, text }) => {
      this.text = text;
      return code;
    });
  }

  /** Sends a number and waits for the sum; never settles when the stream ends first. Throws when it is refused. */
  async add(value: number): Promise<number> {
    const { responses, errors } = this.#stream;
    const count = ++this.#sent;
    this.#stream.send([tensorOf('input', 'FP32', [1], Float32Array.of(value))]);
    await this.#stream.received(count);
    if (errors.length > 0) throw new Error(errors[0]);
    return Number(typedData(responses[count - 1]?.outputs[0] as Tensor)[0]);
  }

  /** Half-closes; resolves with the status code. */
  close(): Promise<number> {
    this.#stream.halfClose();
    return this.ended;
  }

  cancel(): Promise<number> {
    this.#stream.cancel();
    return this.ended;
  }
}
