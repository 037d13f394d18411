import { get, post, type Case, type CaseRequest } from './case.ts';

/*
 * Ensembles of `words`, which answers a prompt with each of its words. They come with the load, since the folder of Triton's models
 * has none; a file is named beside the configuration because Triton takes no model without one.
 */

type Maps = readonly [Readonly<Record<string, string>>, Readonly<Record<string, string>>];

const text = (name: string): object => ({ name, data_type: 'TYPE_STRING', dims: [1] });

function load(name: string, model: string, outputs: readonly string[], ...steps: readonly Maps[]): Case {
  const config = {
    name: model,
    platform: 'ensemble',
    input: [text('prompt')],
    output: outputs.map(text),
    ensemble_scheduling: {
      step: steps.map(([inputs, made]) => ({
        model_name: 'words',
        model_version: -1,
        input_map: inputs,
        output_map: made,
      })),
    },
  };
  const parameters = { config: JSON.stringify(config), 'file:1/none': 'eA==' };
  return post(name, `/v2/repository/models/${model}/load`, JSON.stringify({ parameters }));
}

const spelled = (prompt: string, more: Partial<CaseRequest> = {}): CaseRequest => ({
  model: 'spelled',
  inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], values: [prompt] }],
  ...more,
});
const stream = (name: string, ...requests: readonly CaseRequest[]): Case => ({ kind: 'stream', name, requests });
const FINAL = { parameters: { triton_enable_empty_final_response: true } };

/** Decoupled steps (L0_decoupled, L0_simple_ensemble). */
export const ENSEMBLE_CASES: readonly Case[] = [
  load('ensemble of a decoupled step, load', 'spelled', ['word'], [{ prompt: 'prompt' }, { output: 'word' }]),
  get('ensemble of a decoupled step, ready', '/v2/models/spelled/ready', { compare: 'shape' }),
  get('ensemble of a decoupled step, configuration', '/v2/models/spelled/config', { compare: 'shape' }),
  stream('ensemble of a decoupled step, three words', spelled('see you later')),
  stream('ensemble of a decoupled step, the final response asked for', spelled('see you', FINAL)),
  stream('ensemble of a decoupled step, a fault of the request', spelled('a', { inputs: [] })),
  {
    kind: 'infer',
    name: 'ensemble of a decoupled step, unary',
    request: spelled('see you'),
    forms: ['grpc-raw', 'http-json'],
  },
  post('ensemble of a decoupled step, generate', '/v2/models/spelled/generate', '{"prompt":"one"}'),
  post('ensemble of a decoupled step, generate of two', '/v2/models/spelled/generate', '{"prompt":"one two"}'),
  post('ensemble of a decoupled step, generate_stream', '/v2/models/spelled/generate_stream', '{"prompt":"one two"}'),
  load(
    'ensemble of two decoupled steps side by side, load',
    'uneven',
    ['one', 'two'],
    [{ prompt: 'prompt' }, { output: 'one' }],
    [{ prompt: 'prompt' }, { output: 'two' }],
  ),
  load(
    'ensemble of two decoupled steps in a row, load',
    'spelled',
    ['word'],
    [{ prompt: 'prompt' }, { output: 'part' }],
    [{ prompt: 'part' }, { output: 'word' }],
  ),
  stream('ensemble of two decoupled steps in a row', spelled('see you later', FINAL)),
  post('ensemble of a decoupled step, unload', '/v2/repository/models/spelled/unload'),
];
