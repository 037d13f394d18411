import { expect, it } from 'vitest';
import type { GrpcClient } from '../client/grpc-client.ts';
import type { StreamClientOptions } from './options.ts';
import { planRequests } from './requests.ts';

function optionsFor(outputs: readonly string[]): StreamClientOptions {
  const tensor = { datatype: 'UINT8', shape: [-1, -1, 3] };
  const metadata = { inputs: [{ name: 'image', ...tensor }], outputs: outputs.map((name) => ({ name, ...tensor })) };
  const client = { modelMetadata: () => Promise.resolve(metadata) } as unknown as GrpcClient;
  return { client, model: 'm', inputName: 'image', source: '0' };
}

const postprocess = (): undefined => undefined;

it.each([
  ['the picture, where there is one', ['landmarks', 'output'], {}, 'output', 'output'],
  ['with a callback too, which gets all outputs', ['landmarks', 'output'], { postprocess }, undefined, 'output'],
  [
    'the one that was asked for',
    ['landmarks', 'output'],
    { outputName: 'landmarks', postprocess },
    'landmarks',
    'landmarks',
  ],
  ['the first, where none is known', ['left', 'right'], { postprocess }, undefined, undefined],
])('an output says that its frame is done: %s', async (_, outputs, options, outputName, lastOutput) => {
  expect(await planRequests({ ...optionsFor(outputs), ...options })).toMatchObject({ outputName, lastOutput });
});
