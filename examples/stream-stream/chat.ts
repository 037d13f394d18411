import { defineRuntime, decodeInput, encodeOutput } from 'millrace';

/**
 * Many requests, many responses to each: a conversation. What was said is remembered for as long as the stream is open. It
 * knows no answers but its own: it says each message back, word by word.
 */
export default defineRuntime({
  inputs: [{ name: 'message', datatype: 'BYTES', shape: [-1] }],
  outputs: [{ name: 'word', datatype: 'BYTES', shape: [1, 1] }],

  async *predictStream(requests, { logger }) {
    const said: string[] = [];
    try {
      for await (const { id, inputs } of requests) {
        const message = inputs.flatMap((input) => decodeInput(input, 'str')).join(' ');
        said.push(message);
        const reply = `${said.length}: ${message.toUpperCase()}`;
        for (const word of reply.split(' ')) yield { id, outputs: [encodeOutput('word', word)] };
      }
    } finally {
      // Also when the client has left in the middle of an answer.
      logger.info({ messages: said.length }, 'a conversation has ended');
    }
  },
});
