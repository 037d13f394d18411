/**
 * Says a prompt back one word at a time: a stand-in for a language model, to try streams of responses with.
 * Input `prompt` and output `output` are one text each. Request parameter `delay_s`: seconds between words.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError, defineRuntime, encodeBytes, textData } from 'millrace';

export default defineRuntime({
  name: 'words',
  inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1] }],
  outputs: [{ name: 'output', datatype: 'BYTES', shape: [1] }],
  decoupled: true,

  async *predictStream(requests, { signal }) {
    for await (const request of requests) {
      const delayMs = delaySeconds(request.parameters?.delay_s) * 1000;
      const [prompt = ''] = request.inputs.filter((input) => input.name === 'prompt').flatMap(textData);
      for (const [at, word] of prompt.split(' ').entries()) {
        if (at > 0 && delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => {});
        if (signal.aborted) return;
        yield { id: request.id, outputs: [text(at === 0 ? word : ` ${word}`)] };
      }
    }
  },
});

/** @param {string} value */
function text(value) {
  return { name: 'output', datatype: 'BYTES', shape: [1], data: encodeBytes([value]) };
}

/** Parameters are numbers, bigints (int64) or strings on the wire. */
function delaySeconds(value = 0) {
  const given = typeof value === 'object' ? value.value : value; // uint64 comes wrapped
  const seconds = typeof given === 'boolean' || given === '' ? NaN : Number(given);
  if (seconds >= 0 && seconds <= 3600) return seconds;
  throw new MillraceError('INVALID_PARAMETER', `parameter "delay_s": ${given} given, seconds from 0 to 3600 expected`, {
    details: { parameter: 'delay_s', actual: String(given) },
  });
}
