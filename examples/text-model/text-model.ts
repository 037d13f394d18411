import { setTimeout as sleep } from 'node:timers/promises';
import { decodeInput, defineRuntime, encodeOutput, MillraceError } from 'millrace';

/** Says a prompt back word by word, half a second apart: the model of MLServer's streaming page. */
export default defineRuntime({
  async *predictStream(requests, { signal }) {
    for await (const request of requests) {
      const [prompt] = request.inputs;
      if (prompt === undefined) throw new MillraceError('MISSING_INPUT', 'input "prompt" is missing');
      const [text = ''] = decodeInput(prompt, 'str');
      for (const [at, word] of text.split(' ').entries()) {
        await sleep(500, undefined, { signal });
        yield { outputs: [encodeOutput('output', at === 0 ? word : ` ${word}`)] };
      }
    }
  },
});
