import { setTimeout as sleep } from 'node:timers/promises';
import { decodeInput, defineRuntime, encodeOutput, type InferenceRequest } from 'millrace';

/** A prompt's words, request parameter `delay_s` apart: the peer's `text-model` in TypeScript. It reads one request. */
export default defineRuntime({
  async *predictStream(requests, { signal }) {
    let request: InferenceRequest | undefined;
    for await (const each of requests) request ??= each;
    const delayMs = Number(request?.parameters?.['delay_s'] ?? 0) * 1000;
    for (const [at, word] of promptOf(request).split(' ').entries()) {
      if (delayMs > 0) await sleep(delayMs, undefined, { signal });
      yield { outputs: [encodeOutput('output', at === 0 ? word : ` ${word}`)] };
    }
  },
});

function promptOf(request: InferenceRequest | undefined): string {
  const [input] = request?.inputs ?? [];
  return input === undefined ? '' : (decodeInput(input, 'str')[0] ?? '');
}
