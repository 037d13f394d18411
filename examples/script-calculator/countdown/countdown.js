import { setTimeout as delay } from 'node:timers/promises';
import { defineScript, tensorOf, typedData } from 'millrace';

/** Counts down from the number that it is given: each yield is a response of its own, sent at once. */
export default defineScript({
  async *execute([input], { signal }) {
    for (let n = Number(typedData(input)[0]); n >= 0; n--) {
      yield [tensorOf('number', 'INT32', [1], Int32Array.of(n))];
      await delay(10, undefined, { signal });
    }
  },
});
