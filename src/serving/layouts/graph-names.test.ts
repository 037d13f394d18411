import { expect, test } from 'vitest';
import { graphNames } from './graph-names.ts';

test('calculators, handlers and models are found in every way of writing them, each once', () => {
  const text = `
    # calculator: "Commented" and it's "not" closed
    input_stream: "in" output_stream: 'out'
    node { calculator: "A" node_options: { [x/y.Options]: { handler_path: "code/a.ts" } } }
    node {
      calculator : 'B' # handler_path: "no.ts"
      options { [z.ext] { servable_name:"model" note: "calculator: 'InString'" } }
    }
    node { calculator: "A" } status_handler { status_handler: "C" }`;
  expect(graphNames(text)).toEqual({ calculators: ['A', 'B', 'C'], handlers: ['code/a.ts'], models: ['model'] });
});

test('text that is no graph names nothing', () => {
  expect(graphNames('\u0000 calculator: unquoted "open')).toEqual({ calculators: [], handlers: [], models: [] });
});
