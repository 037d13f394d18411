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
