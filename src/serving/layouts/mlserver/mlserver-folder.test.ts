import { mkdir, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchFolder } from '../../../../test/support/scratch-folder.ts';
import type { LoadedServables, RuntimeSpec } from '../../servable-spec.ts';
import { loadMlserverFolder, type FolderOptions } from './mlserver-folder.ts';

let folder: ScratchFolder;
beforeEach(async () => {
  folder = await ScratchFolder.create();
});
afterEach(() => folder[Symbol.asyncDispose]());

/** The folder's models; the working folder is another one, `cwd` below the scratch folder. */
function load(more: Partial<FolderOptions> = {}): Promise<LoadedServables> {
  const options = { root: join(folder.path, 'root'), workingFolder: join(folder.path, 'cwd') };
  return loadMlserverFolder({ ...options, environment: {}, server: {}, runDeadlineMs: 0, ...more });
}

const put = (path: string, content: string | object = ''): Promise<string> => folder.put(path, content);

async function runtime(more: Partial<FolderOptions> = {}): Promise<RuntimeSpec> {
  const { specs, broken } = await load(more);
  expect(broken).toEqual([]);
  expect(specs).toHaveLength(1);
  return specs[0] as RuntimeSpec;
}

async function fault(more: Partial<FolderOptions> = {}): Promise<string> {
  const { specs, broken } = await load(more);
  expect(specs).toEqual([]);
  return broken.map(({ reason }) => reason).join('\n');
}

test('models are found at any depth, below links too, and not in hidden folders', async () => {
  const settings = { implementation: 'm.M' };
  await put('root/model-settings.json', settings);
  await put('root/a/b/c/model-settings.json', settings);
  await put('root/.hidden/model-settings.json', settings);
  await put('root/node_modules/x/model-settings.json', settings);
  await put('elsewhere/linked/model-settings.json', settings);
  await symlink(join(folder.path, 'elsewhere'), join(folder.path, 'root/link'));
  await symlink(join(folder.path, 'root'), join(folder.path, 'root/a/loop'));
  const { specs, files } = await load();
  expect(specs.map(({ name }) => name)).toEqual(['c', 'linked', 'root']);
  // A model that is put there later is a change of one of these.
  expect(files).toContain(join(folder.path, 'root/a'));
  expect(files).toContain(join(folder.path, 'cwd/.env'));
});

test('a name is that of the folder unless it is given; another than the folder or the version is warned of', async () => {
  await put('root/one/model-settings.json', { implementation: 'm.M' });
  await put('root/two/model-settings.json', { implementation: 'm.M', name: 'deux' });
  await put('root/m/v1.2.3/model-settings.json', {
    implementation: 'm.M',
    name: 'm',
    parameters: { version: 'v1.2.3' },
  });
  const { specs, warnings } = await load();
  expect(specs.map(({ name, version }) => `${name} ${version}`)).toEqual(['m v1.2.3', 'one ', 'deux ']);
  expect(warnings).toEqual([`two/model-settings.json: the model's name "deux" is not that of its folder "two"`]);
});

test('a dotted implementation is a Python file, else TypeScript, else JavaScript; beside the file first', async () => {
  await put('root/m/model-settings.json', { implementation: 'text_model.TextModel' });
  expect(await runtime()).toMatchObject({ language: 'python', module: 'text_model', export: 'TextModel' });
  await put('cwd/text_model.js');
  expect(await runtime()).toMatchObject({ language: 'javascript', module: join(folder.path, 'cwd/text_model.js') });
  const shared = await put('root/text_model.ts');
  expect(await runtime()).toMatchObject({ language: 'javascript', module: shared, export: 'TextModel' });
  const javascript = await put('root/m/text_model.js');
  expect((await runtime()).module).toBe(javascript);
  const typescript = await put('root/m/text_model.ts');
  expect((await runtime()).module).toBe(typescript);
  const python = await put('root/m/text_model.py');
  expect(await runtime()).toMatchObject({
    language: 'python',
    module: python,
    python: { importPaths: [join(folder.path, 'root/m'), join(folder.path, 'root'), join(folder.path, 'cwd')] },
  });
});

test('a class in a package keeps its dotted name, so that imports relative to it work', async () => {
  await put('root/m/model-settings.json', { implementation: 'pkg.sub.Model' });
  const file = await put('root/m/pkg/sub.py');
  const spec = await runtime();
  expect(spec).toMatchObject({ language: 'python', module: 'pkg.sub', export: 'Model' });
  expect(spec.files).toContain(file);
  await put('root/m/model-settings.json', { implementation: 'pkg.Model' });
  await put('root/m/pkg/__init__.py');
  expect(await runtime()).toMatchObject({ module: 'pkg', export: 'Model' });
});

test('a file as implementation is relative to the settings file, with its default export or the one after #', async () => {
  const module = await put('root/m/code/text-model.ts');
  await put('root/m/model-settings.json', { implementation: './code/text-model.ts' });
  expect(await runtime()).toMatchObject({ language: 'javascript', module, export: 'default' });
  await put('root/m/model-settings.json', { implementation: 'code/text-model.ts#Other' });
  expect(await runtime()).toMatchObject({ module, export: 'Other' });
  const python = await put('root/m/my model.py');
  await put('root/m/model-settings.json', { implementation: './my model.py#M' });
  expect(await runtime()).toMatchObject({ language: 'python', module: python, export: 'M' });
});

test('an ONNX file is a model', async () => {
  const path = await put('root/m/model.onnx');
  await put('root/m/model-settings.json', { implementation: './model.onnx', parameters: { version: '3' } });
  const { specs } = await load({ runDeadlineMs: 7 });
  expect(specs).toMatchObject([{ kind: 'model', name: 'm', version: '3', path, runDeadlineMs: 7 }]);
});

test('everything that a model says reaches its specification', async () => {
  await put('root/m/model.ts');
  await put('root/m/model-settings.json', {
    name: 'm',
    implementation: './model.ts',
    platform: 'words',
    versions: ['words/1.0'],
    inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], parameters: { content_type: 'str' } }],
    outputs: [{ name: 'output', datatype: 'BYTES', shape: [-1] }],
    max_batch_size: 8,
    max_batch_time: 0.05,
    cache_enabled: true,
    warm_workers: true,
    parameters: {
      uri: './weights',
      version: '2',
      inference_pool_gid: 'pool',
      content_type: 'str',
      format: 'f',
      extra: { speed: 2 },
      own: 'key',
    },
    millrace: { max_sessions: 3, load_timeout_ms: 10, call_deadline_ms: 20 },
  });
  const spec = await runtime({ server: { parallel_workers: 4, cache_enabled: true } });
  expect(spec).toMatchObject({
    kind: 'runtime',
    name: 'm',
    version: '2',
    isolation: 'own',
    instances: 4,
    hostGroup: 'javascript  pool',
    maxSessions: 3,
    loadTimeoutMs: 10,
    callDeadlineMs: 20,
    batching: { maxSize: 8, maxTimeMs: 50 },
    cachesResponses: true,
    parameters: { speed: 2, own: 'key' },
    declared: {
      platform: 'words',
      versions: ['words/1.0'],
      inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], parameters: { content_type: 'str' } }],
      outputs: [{ name: 'output', datatype: 'BYTES', shape: [-1] }],
    },
  });
  expect(spec.modelSettings).toMatchObject({
    implementation: './model.ts',
    parameters: { uri: join(folder.path, 'root/m/weights'), content_type: 'str', format: 'f', own: 'key' },
  });
  expect(JSON.parse(JSON.stringify(spec))).toEqual(JSON.parse(JSON.stringify({ ...spec })));
});

test('without a word about it a model has its folder as uri, one instance per worker, and no batching', async () => {
  await put('root/m/model-settings.json', { implementation: 'm.M', max_batch_size: 8 });
  expect(await runtime({ server: { parallel_workers: 0 } })).toMatchObject({
    version: '',
    instances: 1,
    batching: undefined,
    hostGroup: undefined,
    cachesResponses: false,
    loadTimeoutMs: 600_000,
    modelSettings: { name: 'm', parameters: { uri: join(folder.path, 'root/m') } },
  });
  await put('root/m/model-settings.json', { implementation: 'm.M', parallel_workers: 0 });
  expect((await runtime({ server: { parallel_workers: 3 } })).instances).toBe(1);
  await put('root/m/model-settings.json', { implementation: 'm.M', parallel_workers: null });
  expect((await runtime({ server: { parallel_workers: 3 } })).instances).toBe(3);
});

test('variables stand in for keys that a file lacks; those of the process beat those of .env', async () => {
  await put(
    'cwd/.env',
    'MLSERVER_MODEL_PLATFORM=from-dotenv\nMLSERVER_MODEL_VERSION=9\nMLSERVER_MODEL_MAX_BATCH_TIME="0.5"\n',
  );
  await put('root/a/model-settings.json', { implementation: 'm.M', parameters: { content_type: 'str' } });
  await put('root/b/model-settings.json', { implementation: 'm.M', platform: 'own', parameters: { version: '1' } });
  const environment = {
    MLSERVER_MODEL_PLATFORM: 'from-process',
    mlserver_model_max_batch_size: '4',
    MLSERVER_MODEL_EXTRA: '{"x": 1}',
    MLSERVER_MODEL_INPUTS: '[{"name": "i", "datatype": "FP32", "shape": [2]}]',
    MLSERVER_MODEL_CONTENT_TYPE: 'np',
  };
  const { specs, broken } = await load({ environment });
  expect(broken).toEqual([]);
  expect(specs).toMatchObject([
    {
      name: 'a',
      version: '9',
      declared: { platform: 'from-process', inputs: [{ name: 'i' }] },
      batching: { maxSize: 4, maxTimeMs: 500 },
      parameters: { x: 1 },
      modelSettings: { parameters: { content_type: 'str', extra: { x: 1 } } },
    },
    { name: 'b', version: '1', declared: { platform: 'own' }, modelSettings: { parameters: { content_type: 'np' } } },
  ]);
});

test('without settings files the variables alone describe a model', async () => {
  const module = await put('root/m.ts');
  const environment = { MLSERVER_MODEL_IMPLEMENTATION: 'm.M', MLSERVER_MODEL_NAME: 'alone', MLSERVER_MODEL_URI: '/u' };
  expect(await runtime({ environment })).toMatchObject({
    name: 'alone',
    module,
    modelSettings: { parameters: { uri: '/u' } },
  });
  const { specs, warnings } = await load();
  expect(specs).toEqual([]);
  expect(warnings).toEqual([
    expect.stringMatching(/^no model-settings\.json below .*root, and no MLSERVER_MODEL_IMPL/),
  ]);
  // A file that can be taken is enough for the variable to be for keys that it lacks alone.
  await put('root/n/model-settings.json', {});
  expect(await runtime({ environment: { MLSERVER_MODEL_IMPLEMENTATION: 'm.M' } })).toMatchObject({ name: 'n', module });
});

test.each([
  ['{"implementation": ', 'm/model-settings.json:1:20: not valid JSON'],
  ['[]', 'm/model-settings.json: a JSON object expected'],
  [{}, 'm/model-settings.json: implementation: missing'],
  [{ implementation: 3 }, 'm/model-settings.json: implementation: 3 given, string expected'],
  [{ implementation: 'M' }, 'implementation: "M" given, a class\'s path as "text_model.TextModel"'],
  [{ implementation: './none.ts' }, 'there is no file'],
  [{ implementation: './notes.txt' }, 'a file that ends in .ts, .mts, .js, .mjs, .cjs, .py, .onnx expected'],
  [{ implementation: './m.py' }, '"./m.py#ClassName" expected'],
  [{ implementation: 'mlserver_sklearn.SKLearnModel' }, 'skl2onnx'],
  [{ implementation: 'm.M', max_batch_size: 'many' }, 'max_batch_size: "many" given, number expected'],
  [{ implementation: 'm.M', max_batch_time: -1 }, 'max_batch_time: -1 given, at least 0 expected'],
  [
    { implementation: 'm.M', inputs: [{ name: 'i', datatype: 'FP31', shape: [1] }] },
    'inputs[0].datatype: "FP31" given',
  ],
  [{ implementation: 'm.M', parameters: [] }, 'm/model-settings.json: parameters: [] given, an object expected'],
  [{ implementation: 'm.M', parameters: { uri: 1 } }, 'm/model-settings.json: parameters: uri: 1 given'],
  [{ implementation: 'm.M', parameters: { environment_path: './env' } }, 'a folder with bin/python expected'],
  [{ implementation: 'm.M', parameters: { environment_tarball: './env.tar.gz' } }, 'environment_tarball: '],
  [{ implementation: 'm.M', millrace: { max_sesions: 1 } }, 'unknown key "max_sesions"; did you mean "max_sessions"?'],
])('a model with %j is listed as broken, saying why, and the others are served', async (content, reason) => {
  await put('root/m/notes.txt');
  await put('root/m/m.py');
  await put('root/m/model-settings.json', content);
  await put('root/good/model-settings.json', { implementation: 'm.M' });
  const { specs, broken } = await load();
  expect(specs.map(({ name }) => name)).toEqual(['good']);
  expect(broken).toMatchObject([{ name: 'm', version: '', kind: 'runtime' }]);
  expect(broken[0]?.reason).toContain(reason);
  expect(broken[0]?.reason).not.toContain(`${folder.path}/root/m/model-settings.json`);
});

test('a broken model keeps the name and version that it gives itself', async () => {
  await put('root/m/model-settings.json', { name: 'x', parameters: { version: '2' } });
  expect((await load()).broken).toMatchObject([{ name: 'x', version: '2' }]);
});

test('a known package of MLServer is used where the user names a Python', async () => {
  await put('root/m/model-settings.json', { implementation: 'mlserver_sklearn.SKLearnModel' });
  const spec = await runtime({ environment: { MILLRACE_PYTHON: 'python3' } });
  expect(spec).toMatchObject({ language: 'python', module: 'mlserver_sklearn', export: 'SKLearnModel' });
});

test('an environment has its interpreter run the model; of a tarball it is unpacked once', async () => {
  const interpreter = await put('root/env/bin/python');
  await put('root/m/model-settings.json', { implementation: 'm.M', parameters: { environment_path: '../env' } });
  expect((await runtime()).python?.interpreter).toBe(interpreter);
  // From the working folder, as in MLServer, and with what paths may have.
  for (const path of ['../root/env', '~/env', '$PLACE/env', '${PLACE}/env']) {
    await put('root/m/model-settings.json', { implementation: 'm.M', parameters: { environment_path: path } });
    const place = join(folder.path, 'root');
    expect((await runtime({ environment: { HOME: place, PLACE: place } })).python?.interpreter).toBe(interpreter);
  }
  await put('root/m/model-settings.json', { implementation: 'm.M', parameters: { environment_path: '$NONE/env' } });
  expect(await fault()).toContain('parameters.environment_path: ');
  const { execFileSync } = await import('node:child_process');
  const tarball = join(folder.path, 'root/m/env.tar.gz');
  execFileSync('tar', ['-czf', tarball, '-C', join(folder.path, 'root/env'), '.']);
  await put('root/m/model-settings.json', { implementation: 'm.M', parameters: { environment_tarball: 'env.tar.gz' } });
  const first = (await runtime({ server: { environments_dir: 'envs' } })).python?.interpreter ?? '';
  expect(first).toMatch(/cwd\/envs\/[0-9a-f]{64}\/bin\/python$/);
  await utimes(first, 1, 1);
  expect((await runtime({ server: { environments_dir: 'envs' } })).python?.interpreter).toBe(first);
});

test('two models of one name and version are a fault that names both files', async () => {
  for (const place of ['a', 'b']) await put(`root/${place}/model-settings.json`, { name: 'm', implementation: 'm.M' });
  await put('root/c/model-settings.json', { name: 'm', implementation: 'm.M', parameters: { version: '1' } });
  const { specs, broken } = await load();
  expect(specs).toMatchObject([{ name: 'm', version: '1' }]);
  expect(broken).toMatchObject([
    {
      name: 'm',
      version: '',
      reason:
        'a/model-settings.json and b/model-settings.json both have the name "m" and no version: give one of them another name or parameters.version',
    },
  ]);
});

test('unknown keys are ignored with a warning', async () => {
  await put('root/m/model-settings.json', { implementation: 'm.M', max_batchsize: 2 });
  expect((await load()).warnings).toEqual([
    'm/model-settings.json: unknown key "max_batchsize" is ignored; did you mean "max_batch_size"?',
  ]);
});

test('a fingerprint changes with the settings, the sources below the folder and a weights file, and with nothing else', async () => {
  const settings = { implementation: './m.ts', parameters: { uri: './weights.bin' } };
  await put('root/m/model-settings.json', settings);
  await put('root/m/m.ts');
  await put('root/m/weights.bin', 'one');
  const fingerprint = async (): Promise<string> =>
    (await load()).specs.find(({ name }) => name === 'm')?.fingerprint ?? '';
  let last = await fingerprint();
  const changes = async (): Promise<boolean> => {
    const before = last;
    last = await fingerprint();
    return last !== before;
  };
  await put('root/m/notes.txt', 'x');
  await put('root/m/log/out.csv', 'x');
  await put('root/m/inner/model-settings.json', { implementation: './i.ts' });
  await put('root/m/inner/i.ts', 'x');
  expect(await changes()).toBe(false);
  await put('root/m/lib/helper.ts', 'x');
  expect(await changes()).toBe(true);
  await put('root/m/weights.bin', 'two');
  expect(await changes()).toBe(true);
  await put('root/m/model-settings.json', { ...settings, platform: 'p' });
  expect(await changes()).toBe(true);
  await mkdir(join(folder.path, 'root/m/empty'));
  expect(await changes()).toBe(false);
});

test('a folder that is not there has no models', async () => {
  expect(await fault()).toBe('');
});
