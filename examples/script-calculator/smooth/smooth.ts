import { tensorOf, typedData, type ScriptContext, type ScriptHandler, type ScriptSetup, type Tensor } from 'millrace';

/** The mean of the last few values of the stream; how many is the parameter "window" of its first request. Default 3. */
export default class Smooth implements ScriptHandler {
  #window = 3;
  readonly #values: number[] = [];

  initialize({ parameters, logger, node }: ScriptSetup): void {
    this.#window = Number(parameters['window'] ?? this.#window);
    if (!(this.#window >= 1)) throw new Error(`parameter "window": ${this.#window} given, 1 or more expected`);
    logger.info({ node, window: this.#window }, 'smoothing');
  }

  execute([input]: readonly Tensor[], { timestamp, parameters, logger }: ScriptContext): Tensor[] {
    if (input === undefined) return [];
    logger.debug({ timestamp, parameters }, 'a value');
    this.#values.push(Number(typedData(input)[0]));
    if (this.#values.length > this.#window) this.#values.shift();
    const mean = this.#values.reduce((sum, value) => sum + value, 0) / this.#values.length;
    return [tensorOf('mean', 'FP32', [1], Float32Array.of(mean))];
  }
}
