import { expect, test } from 'vitest';
import { ScratchFolder } from '../../../../test/support/scratch-folder.ts';
import { NO_QUOTA } from '../../servable-spec.ts';
import { loadOvmsConfig } from '../ovms-config.ts';
import { readModelCache } from './model-cache.ts';

const warnings: string[] = [];
const context = {
  folder: '/',
  where: 'cache',
  runDeadlineMs: 0,
  quota: NO_QUOTA,
  calculators: [],
  warn: (message: string) => warnings.push(message),
};

interface Files {
  readonly type?: object;
  readonly environment?: object;
  readonly names?: string;
}

async function put(folder: ScratchFolder, place: string, { type, environment, names }: Files): Promise<void> {
  await folder.put(`${place}/weights.onnx`, 'x');
  if (type !== undefined) await folder.put(`${place}/model_type.json`, type);
  if (environment !== undefined) await folder.put(`${place}/environment.json`, environment);
  if (names !== undefined) await folder.put(`${place}/class_names.txt`, names);
}

test('projects are servables, versions their versions, with all that the files say', async () => {
  await using folder = await ScratchFolder.create();
  const preprocessing = {
    'auto-orient': { enabled: true },
    'static-crop': { enabled: true, x_min: 10, y_min: 0, x_max: 90, y_max: 100 },
    contrast: { enabled: true, type: 'Contrast Stretching' },
    grayscale: { enabled: false },
    resize: { enabled: true, width: 640, height: '480', format: 'Fit (black edges) in' },
  };
  await put(folder, 'cats/2', {
    type: { project_task_type: 'object-detection', model_type: 'yolov11n' },
    environment: { PREPROCESSING: JSON.stringify(preprocessing), CLASS_MAP: { '0': 'other' } },
    names: 'cat\ndog\n',
  });
  await put(folder, 'cats/3', { environment: { CLASS_MAP: { '1': 'b', '0': 'a' } } });
  await folder.put('cats/notes/readme.txt', 'x');
  await folder.put('empty/1/other.bin', 'x');
  const results = await readModelCache(folder.path, context);
  expect(results.map(({ name, broken }) => [name, broken])).toEqual([['cats', []]]);
  expect(results[0]?.specs).toMatchObject([
    {
      kind: 'model',
      name: 'cats',
      version: '2',
      detector: {
        family: 'yolov8',
        classNames: ['cat', 'dog'],
        preprocessing: {
          staticCrop: { x_min: 10, x_max: 90 },
          contrast: 'Contrast Stretching',
          resize: 'Fit (black edges) in',
          width: 640,
          height: 480,
        },
      },
    },
    { version: '3', detector: { family: undefined, classNames: ['a', 'b'], preprocessing: { resize: 'Stretch to' } } },
  ]);
});

test.each([
  [{ type: { project_task_type: 'classification', model_type: 'vit' } }, 'project_task_type "classification"'],
  [{ type: { model_type: 'rfdetr-base' } }, 'model_type "rfdetr-base"'],
  [{ environment: { PREPROCESSING: '{' } }, 'PREPROCESSING: JSON text expected'],
  [
    { environment: { PREPROCESSING: { contrast: { enabled: true, type: 'Adaptive Equalization' } } } },
    'contrast "Adaptive Equalization" is not supported',
  ],
])('what cannot be honoured is refused by name: %j', async (files, text) => {
  await using folder = await ScratchFolder.create();
  await put(folder, 'cats/1', files);
  const [result] = await readModelCache(folder.path, context);
  expect(result?.specs).toEqual([]);
  expect(result?.broken[0]).toMatchObject({ name: 'cats', version: '1' });
  expect(result?.broken[0]?.reason).toContain(text);
});

test.each([
  ['yolov5s', 'yolov5'],
  ['yolov7', 'yolov5'],
  ['yolov8n', 'yolov8'],
  ['yolov9c', 'yolov8'],
  ['yolo12x', 'yolov8'],
  ['yolov10m', 'yolov10'],
  ['yolo26n', 'yolo26'],
  ['yolo_nas_s', 'yolo-nas'],
])('model_type %s is read as %s', async (model_type, family) => {
  await using folder = await ScratchFolder.create();
  await put(folder, 'p/1', { type: { model_type } });
  const [result] = await readModelCache(folder.path, context);
  expect(result?.specs[0]).toMatchObject({ detector: { family } });
});

test('a configuration names caches; one that is not there is a warning', async () => {
  await using folder = await ScratchFolder.create();
  await put(folder, 'cache/cats/1', {});
  const path = await folder.put('config.json', { roboflow_caches: ['cache', 'none'] });
  const loaded = await loadOvmsConfig(path);
  expect(loaded.specs.map(({ name, version }) => `${name}/${version}`)).toEqual(['cats/1']);
  expect(loaded.warnings).toEqual([expect.stringMatching(/roboflow_caches\[1\].*none: cannot be read/)]);
});
