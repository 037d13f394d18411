import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScratchFolder } from '../../../test/support/scratch-folder.ts';
import type { EntryContext } from './entry.ts';
import { readModelEntry } from './model-entry.ts';

let scratch: ScratchFolder;
beforeAll(async () => {
  scratch = await ScratchFolder.create();
});
afterAll(() => scratch[Symbol.asyncDispose]());

test.each(['model.onnx', 'model.ort', 'Model.ONNX'])('%s is a model, in its version and by its path', async (file) => {
  const path = await scratch.put(`${file}.d/1/${file}`, 'a model');
  const context = { folder: scratch.path, where: 'test', runDeadlineMs: 0, warn: () => {} } as Partial<EntryContext>;
  for (const base_path of [`${file}.d`, path]) {
    const { specs, broken } = await readModelEntry({ name: 'm', base_path }, context as EntryContext);
    expect({ specs, broken }).toMatchObject({ specs: [{ version: '1', path }], broken: [] });
  }
});

const read = async (base_path: string, more: object = {}) => {
  const context = { folder: scratch.path, where: 'test', runDeadlineMs: 0, warn: () => {} } as Partial<EntryContext>;
  const { specs, broken } = await readModelEntry({ name: 'm', base_path, ...more }, context as EntryContext);
  return { specs, broken };
};

test('a folder with the file and without versions is version 1, with all files in it', async () => {
  const path = await scratch.put('plain/model.onnx', 'a model');
  const weights = await scratch.put('plain/model.onnx.data', 'weights');
  expect(await read('plain')).toMatchObject({ specs: [{ version: '1', path, files: [path, weights] }], broken: [] });
  const specific = await read('plain', { model_version_policy: { specific: { versions: [1, 3] } } });
  expect(specific).toMatchObject({ specs: [{ version: '1', path }], broken: [{ version: '3' }] });
});

test('numbered versions go before a file beside them; of several files one must be model.onnx', async () => {
  await scratch.put('both/model.onnx', 'not this one');
  const path = await scratch.put('both/2/model.onnx', 'a model');
  expect(await read('both')).toMatchObject({ specs: [{ version: '2', path }], broken: [] });
  await scratch.put('several/a.onnx', 'a');
  await scratch.put('several/b.onnx', 'b');
  const { broken } = await read('several');
  expect(broken).toMatchObject([
    { version: '1', reason: expect.stringMatching(/several ONNX files \(a.onnx, b.onnx\)/) as string },
  ]);
});

test('a folder without either is refused with what is expected', async () => {
  await scratch.put('none/notes.txt', 'nothing');
  await expect(read('none')).rejects.toThrow(/no version of the model in .*sub-folders 1, 2, … with an ONNX file each/);
});
