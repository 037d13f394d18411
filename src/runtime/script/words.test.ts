import { expect, test, vi } from 'vitest';
import { runtimeContext } from '../../../test/support/runtime-context.ts';
import { encodeBytes, textData } from '../../tensor/bytes.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import type { ParameterValue } from '../../tensor/parameters.ts';
import type { RuntimeDefinition } from './define-runtime.ts';

// Users import the built package; here the sources stand for it.
vi.mock('millrace', () => import('../../index.ts'));
const { default: words } = (await import('../../../models/words/words.js' as string)) as { default: RuntimeDefinition };

function request(prompt: string, delay?: ParameterValue): InferenceRequest {
  const parameters = delay === undefined ? undefined : { delay_s: delay };
  const input = { name: 'prompt', datatype: 'BYTES' as const, shape: [1], data: encodeBytes([prompt]) };
  return { servable: 'words', version: '', id: prompt, parameters, inputs: [input], outputs: [] };
}

async function* streamOf(requests: readonly InferenceRequest[]): AsyncGenerator<InferenceRequest> {
  yield* requests;
}

async function said(requests: readonly InferenceRequest[], signal = new AbortController().signal): Promise<string[]> {
  const context = runtimeContext({ signal });
  const texts: string[] = [];
  for await (const { outputs } of words.predictStream?.(streamOf(requests), context) ?? []) {
    texts.push(...outputs.flatMap(textData));
  }
  return texts;
}

test('words come one at a time, all but the first with the space before them', async () => {
  expect(await said([request('a live  graph'), request('again')])).toEqual(['a', ' live', ' ', ' graph', 'again']);
});

test('the delay is taken as number, integer or text', async () => {
  for (const delay of [0.001, 0n, '0.001']) expect(await said([request('a b', delay)])).toEqual(['a', ' b']);
});

test.each([-1, 'soon', '', true, NaN])('a delay of %j is refused', async (delay) => {
  await expect(said([request('a b', delay)])).rejects.toMatchObject({ reason: 'INVALID_PARAMETER' });
});

test('an abort ends the stream between words', async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5);
  expect(await said([request('a b', 3600)], controller.signal)).toEqual(['a']);
});
