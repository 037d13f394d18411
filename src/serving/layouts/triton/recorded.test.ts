import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../../../test/support/paths.ts';
import { ScratchFolder } from '../../../../test/support/scratch-folder.ts';
import type { LoadedServables } from '../../servable-spec.ts';
import { loadTritonRepository } from './triton-repository.ts';

interface Recorded {
  readonly models: Readonly<Record<string, { readonly config: string; readonly versions: readonly number[] }>>;
  readonly refused: Readonly<Record<string, string>>;
  readonly config: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly metadata: Readonly<
    Record<string, { readonly inputs: unknown; readonly outputs: unknown; readonly versions: readonly string[] }>
  >;
}

/** What a live Triton answered of a repository of these models, its code in Python where ours is an ONNX file. */
const recorded = JSON.parse(
  readFileSync(join(ROOT, 'test/fixtures/triton-repository/recorded.json'), 'utf8'),
) as Recorded;

/** Of a file that is no ONNX the configuration is all that there is. */
async function load(): Promise<LoadedServables> {
  await using folder = await ScratchFolder.create();
  for (const [name, { config, versions }] of Object.entries(recorded.models)) {
    await folder.put(`${name}/config.pbtxt`, config.replace('backend: "python"', 'backend: "onnxruntime"'));
    for (const version of versions) {
      await mkdir(join(folder.path, name, String(version)));
      if (!config.includes('"ensemble"')) await folder.put(`${name}/${version}/model.onnx`, 'no model');
    }
  }
  return await loadTritonRepository({ roots: [folder.path], hasGpu: false });
}

const loaded = await load();

/** An ensemble needs no folder here. */
const TAKEN = ['e_noversion'];

/** Triton finds nobody to use the tensors of a circle apart from the rest; we say that it is one. */
const OTHERWISE: Readonly<Record<string, string>> = {
  e_selfcycle:
    "output 'b' for ensemble 'e_selfcycle' is not written: at least one of its depending tensors, 'a', is not connected",
};

describe('what Triton refuses', () => {
  test.each(Object.entries(recorded.refused).filter(([name]) => !TAKEN.includes(name)))(
    '%s is refused with its text',
    (name, text) => {
      const reasons = loaded.broken.filter((broken) => broken.name === name).map(({ reason }) => reason);
      // A quote is missing in one of its texts.
      expect(reasons.map((reason) => reason.replaceAll("'", '')).join()).toContain(
        (OTHERWISE[name] ?? text).replaceAll("'", ''),
      );
      expect(loaded.specs.map((spec) => spec.name)).not.toContain(name);
    },
  );

  test('each is told with its file and line', () => {
    const reason = (name: string) => loaded.broken.find((broken) => broken.name === name)?.reason;
    expect(reason('m_name')).toMatch(/^m_name\/config\.pbtxt:1: name: /);
    expect(reason('e_type')).toMatch(/^e_type\/config\.pbtxt:\d: ensemble_scheduling\.step: /);
  });

  test('an ensemble without folders is taken as version 1', () => {
    expect(loaded.specs.find(({ name }) => name === 'e_noversion')?.version).toBe('1');
  });
});

/** What differs where a model is an ONNX file. */
const OF_THE_BACKEND = ['backend', 'platform', 'default_model_filename', 'model_transaction_policy'];

describe.each(Object.keys(recorded.config))('%s', (name) => {
  const specs = loaded.specs.filter((spec) => spec.name === name);
  const [spec] = specs;

  test("its completed configuration is Triton's", () => {
    const ours = JSON.parse(JSON.stringify(spec?.config)) as Record<string, unknown>;
    const theirs = recorded.config[name] ?? {};
    const shared = Object.entries(theirs).filter(([key]) => !OF_THE_BACKEND.includes(key));
    const known = new Set(Object.keys(ours));
    for (const [key, value] of shared) expect({ [key]: ours[key] }).toEqual({ [key]: withNewFields(key, value) });
    expect(Object.keys(theirs).filter((key) => !known.has(key))).toEqual([]);
  });

  test("its inputs, outputs and versions are Triton's", () => {
    const { inputs, outputs, versions } = recorded.metadata[name] ?? {};
    expect(specs.map(({ version }) => version)).toEqual(versions);
    const signature = spec?.kind === 'model' || spec?.kind === 'ensemble' ? spec.signature : undefined;
    const plain = (tensors: NonNullable<typeof signature>['inputs'] = []) =>
      tensors.map((tensor) => ({ name: tensor.name, datatype: tensor.datatype, shape: tensor.shape }));
    expect(plain(signature?.inputs)).toEqual(inputs);
    expect(plain(signature?.outputs)).toEqual(outputs);
  });
});

/** Fields that the recorded version did not have. */
function withNewFields(key: string, value: unknown): unknown {
  return key === 'ensemble_scheduling' ? { ...(value as object), max_inflight_requests: 0 } : value;
}
