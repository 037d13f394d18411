import { defineRuntime } from 'millrace';

/** Returns its inputs, as the peer's `echo` does. */
export default defineRuntime({
  predict: ({ inputs }) => ({ outputs: inputs }),
});
