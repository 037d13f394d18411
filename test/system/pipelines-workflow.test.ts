/** Roboflow's workflows on a real server, with real models: what `consume` gives of them. */
import { mkdir, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jpegSize } from '../../src/media/frame.ts';
import { ffmpeg } from '../support/clips.ts';
import { ROOT } from '../support/paths.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

const FRAMES = 5;

let folder: ScratchFolder;
let server: TestServer;
let clip: string;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  clip = join(folder.path, 'shapes.mp4');
  const raw = ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', '200x150', '-framerate', '15'];
  const scene = join(ROOT, 'test/fixtures/shapes-scene.rgb');
  const codec = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-crf', '10'];
  await ffmpeg(...raw, '-stream_loop', String(FRAMES - 1), '-i', scene, ...codec, clip);
  // The same model by another name, as that of the second step.
  await mkdir(join(folder.path, 'second/1'), { recursive: true });
  await copyFile(join(ROOT, 'models/shapes/1/model.onnx'), join(folder.path, 'second/1/model.onnx'));
  const class_names = ['circle', 'square', 'triangle'];
  const config = {
    mediapipe_config_list: [{ name: 'detect', base_path: join(ROOT, 'graphs/detect') }],
    model_config_list: [
      { config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } },
      { config: { name: 'second', base_path: join(folder.path, 'second') } },
    ],
    pipelines: {
      models: { 'shapes/1': { servable: 'shapes', class_names }, 'second/1': { servable: 'second', class_names } },
    },
  };
  server = await startServer({ config, flags: ['--hosts', '1'] });
}, 120_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const MODEL = {
  type: 'roboflow_core/roboflow_object_detection_model@v2',
  name: 'model',
  images: '$inputs.image',
  model_id: 'shapes/1',
  confidence: '$inputs.threshold',
};
const SQUARES = {
  type: 'roboflow_core/detections_filter@v1',
  name: 'squares',
  predictions: '$steps.model.predictions',
  operations: [
    {
      type: 'DetectionsFilter',
      filter_operation: {
        type: 'StatementGroup',
        operator: 'and',
        statements: [
          {
            type: 'BinaryStatement',
            left_operand: {
              type: 'DynamicOperand',
              operations: [{ type: 'ExtractDetectionProperty', property_name: 'class_name' }],
            },
            comparator: { type: 'in (Sequence)' },
            right_operand: { type: 'DynamicOperand', operand_name: 'classes' },
          },
        ],
      },
    },
  ],
  operations_parameters: { classes: '$inputs.classes' },
};
const STEPS = [
  { type: 'Crop', name: 'crop', images: '$inputs.image', predictions: '$steps.squares.predictions' },
  { ...MODEL, name: 'again', images: '$steps.crop.crops', model_id: 'second/1' },
  {
    type: 'roboflow_core/property_definition@v1',
    name: 'names',
    data: '$steps.model.predictions',
    operations: [{ type: 'DetectionsPropertyExtract', property_name: 'class_name' }],
  },
  {
    type: 'roboflow_core/bounding_box_visualization@v1',
    name: 'boxes',
    image: '$inputs.image',
    predictions: '$steps.squares.predictions',
  },
  SQUARES,
  MODEL,
];
const OUTPUTS = [
  { type: 'JsonField', name: 'squares', selector: '$steps.squares.predictions' },
  { type: 'JsonField', name: 'crops', selector: '$steps.crop.crops' },
  { type: 'JsonField', name: 'again', selector: '$steps.again.predictions' },
  { type: 'JsonField', name: 'names', selector: '$steps.names.output' },
  { type: 'JsonField', name: 'picture', selector: '$steps.boxes.image' },
];

interface Found {
  readonly image: { readonly width: number; readonly height: number };
  readonly predictions: readonly {
    readonly class: string;
    readonly x: number;
    readonly y: number;
    readonly width: number;
  }[];
}

interface Output {
  readonly squares: Found;
  readonly crops: readonly { readonly type: string; readonly value: string; readonly video_metadata: object }[];
  readonly again: readonly Found[];
  readonly names: readonly string[];
  readonly picture: { readonly value: string };
}

async function post(path: string, body: object): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(`${server.restUrl}/inference_pipelines/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const init = (steps: readonly object[], outputs: readonly object[], parameters = {}): object => ({
  video_configuration: {
    type: 'VideoConfiguration',
    video_reference: clip,
    source_buffer_filling_strategy: 'WAIT',
    source_buffer_consumption_strategy: 'LAZY',
  },
  processing_configuration: {
    type: 'WorkflowConfiguration',
    workflow_specification: {
      version: '1.0',
      inputs: [
        { type: 'WorkflowImage', name: 'image' },
        { type: 'WorkflowParameter', name: 'threshold', default_value: 0.99 },
        { type: 'WorkflowParameter', name: 'classes', default_value: ['square'] },
      ],
      steps,
      outputs,
    },
    workflows_parameters: parameters,
  },
});

async function consume(id: string): Promise<Output> {
  let output: Output | undefined;
  await until(async () => {
    const response = await fetch(`${server.restUrl}/inference_pipelines/${id}/consume`);
    const { outputs } = (await response.json()) as { outputs: Output[] };
    output = outputs[0];
    return output !== undefined;
  });
  return output as Output;
}

test('a filter, crops, a second model on them, a property and a picture', async () => {
  const { status, json } = await post('initialise', init(STEPS, OUTPUTS, { threshold: 0.4 }));
  expect([status, json]).toMatchObject([200, { status: 'success' }]);
  const id = (json['context'] as { pipeline_id: string }).pipeline_id;
  for (let i = 0; i < FRAMES; i++) {
    const { squares, crops, again, names, picture } = await consume(id);
    expect(names).toEqual(expect.arrayContaining(['square', 'triangle']));
    expect(squares.image).toEqual({ width: 200, height: 150 });
    expect(new Set(squares.predictions.map((each) => each.class))).toEqual(new Set(['square']));
    expect(squares.predictions.length).toBeLessThan(names.length);
    expect(crops).toHaveLength(squares.predictions.length);
    expect(again).toHaveLength(squares.predictions.length);
    const [crop] = crops;
    const metadata = {
      video_identifier: '0',
      frame_number: i + 1,
      fps: 15,
      measured_fps: null,
      comes_from_video_file: true,
    };
    expect(crop).toMatchObject({ type: 'base64', video_metadata: metadata });
    const size = jpegSize(Buffer.from(crop?.value ?? '', 'base64'));
    expect(size?.width).toBe(squares.predictions[0]?.width);
    expect(jpegSize(Buffer.from(picture.value, 'base64'))).toEqual({ width: 200, height: 150 });
    // What the second model saw in the crop is told in pixels of the frame.
    for (const [index, { image, predictions }] of again.entries()) {
      expect(image).toEqual({ width: 200, height: 150 });
      const outer = squares.predictions[index];
      for (const { x, y } of predictions) {
        expect(Math.abs(x - (outer?.x ?? 0))).toBeLessThan(outer?.width ?? 0);
        expect(Math.abs(y - (outer?.y ?? 0))).toBeLessThan(outer?.width ?? 0);
      }
    }
  }
  expect((await post(`${id}/terminate`, {})).status).toBe(200);
});

test.each([
  ['a model that is not there', [MODEL, { ...MODEL, name: 'b', model_id: 'nothing/1' }], 404, 'nothing'],
  [
    'a graph as a second model',
    [MODEL, { ...MODEL, name: 'b', model_id: 'detect' }],
    400,
    'step "b": "detect" is a graph',
  ],
  [
    'a block that is not there',
    [MODEL, { type: 'roboflow_core/line_counter@v2', name: 'line' }],
    400,
    'step "line" (roboflow_core/line_counter@v2)',
  ],
  ['a parameter without a value', [{ ...MODEL, confidence: '$inputs.other' }], 400, '$inputs.other'],
])('%s: refused, and nothing is left', async (_, steps, status, message) => {
  const answer = await post(
    'initialise',
    init(
      steps,
      [OUTPUTS[0] as object].map((each) => ({ ...each, selector: '$steps.model.predictions' })),
    ),
  );
  expect([answer.status, JSON.stringify(answer.json)]).toEqual([
    status,
    expect.stringContaining(JSON.stringify(message).slice(1, -1)),
  ]);
  const list = (await (await fetch(`${server.restUrl}/inference_pipelines/list`)).json()) as { pipelines: string[] };
  expect(list.pipelines).toEqual([]);
});

test('a graph may be the first model', async () => {
  const { json } = await post(
    'initialise',
    init([{ ...MODEL, model_id: 'detect' }], [{ type: 'JsonField', name: 'squares', selector: '$steps.model.*' }], {
      threshold: 0.1,
    }),
  );
  const id = (json['context'] as { pipeline_id: string }).pipeline_id;
  expect((await consume(id)).squares).toMatchObject({
    model_id: 'detect',
    predictions: { image: { width: 200, height: 150 } },
  });
  expect((await post(`${id}/terminate`, {})).status).toBe(200);
});
