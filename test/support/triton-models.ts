/** Model repositories of Triton with one model, for tests of what is made of their configurations. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ROOT } from './paths.ts';
import { ScratchFolder } from './scratch-folder.ts';
import type { LoadedServables, ModelSpec } from '../../src/serving/servable-spec.ts';
import { loadTritonRepository } from '../../src/serving/layouts/triton/triton-repository.ts';

export const MODELS = join(ROOT, 'test/fixtures/models');

/** Inputs and outputs of dynamic.onnx: image [-1,3,-1,-1] → mean [-1,3]. */
export const IO = `
  input { name: "image" data_type: TYPE_FP32 dims: [3, -1, -1] }
  output { name: "mean" data_type: TYPE_FP32 dims: [3] }
`;

export const BATCHED = `backend: "onnxruntime" max_batch_size: 8 ${IO}`;

/** Files by path; a name of a fixture as `onnx:dynamic`. */
export type Files = Readonly<Record<string, string>>;

export async function load(
  files: Files,
  more: Partial<Parameters<typeof loadTritonRepository>[0]> = {},
): Promise<LoadedServables> {
  await using folder = await ScratchFolder.create();
  for (const [path, content] of Object.entries(files)) {
    if (content.startsWith('onnx:')) await folder.copy(join(MODELS, `${content.slice(5)}.onnx`), path);
    else if (path.endsWith('/')) await mkdir(join(folder.path, path), { recursive: true });
    else await folder.put(path, content);
  }
  return await loadTritonRepository({ roots: [folder.path], hasGpu: false, ...more });
}

/** The one model `m` with this configuration over dynamic.onnx. */
export const one = (config: string, files: Files = {}): Promise<LoadedServables> =>
  load({ 'm/config.pbtxt': config, 'm/1/model.onnx': 'onnx:dynamic', ...files });

export async function spec(config: string, files: Files = {}): Promise<ModelSpec> {
  const { specs, broken } = await one(config, files);
  expect(broken).toEqual([]);
  const [first] = specs;
  if (first?.kind !== 'model') throw new Error(`a model expected, ${first?.kind} loaded`);
  return first;
}

export const reasonOf = ({ broken }: LoadedServables): string => broken.map(({ reason }) => reason).join('; ');
