import { expect, test } from 'vitest';
import type { FrameResult, Prediction } from '../../../media/sinks/results/result-record.ts';
import { planWorkflow } from '../../../pipelines/roboflow/workflow/plan-workflow.ts';
import { Detections, WorkflowImage } from '../../../pipelines/common/workflow/values.ts';
import { WorkflowFrame } from './run-workflow.ts';

const PLACE = { parentId: 'image.[0]', left: 0, top: 0 };
const WIDTH = 40;
const HEIGHT = 30;

/** A picture whose pixels tell where they are: [x, y, 7]. */
function picture(): WorkflowImage {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let i = 0; i < WIDTH * HEIGHT; i++) data.set([i % WIDTH, Math.floor(i / WIDTH), 7], i * 3);
  return new WorkflowImage({ width: WIDTH, height: HEIGHT, format: 'rgb24', data }, PLACE);
}

const found = (name: string, x: number, y: number, width: number, height: number): Prediction => ({
  x,
  y,
  width,
  height,
  confidence: 0.75,
  class: name,
  class_id: name === 'cat' ? 0 : 1,
  detection_id: `${name}-1`,
});

const CAT = found('cat', 20, 10, 10, 6);
const DOG = found('dog', 38, 28, 10, 10);
const OUTSIDE = found('cow', -30, 5, 4, 4);

const MODEL = { type: 'ObjectDetectionModel', name: 'model', image: '$inputs.image', model_id: 'some/1' };
const CROP = { type: 'Crop', name: 'crop', image: '$inputs.image', detections: '$steps.model.predictions' };
const SECOND = { ...MODEL, name: 'second', image: '$steps.crop.crops', model_id: 'other/2', class_filter: ['eye'] };
const json = (name: string, selector: string, coordinates_system = 'parent'): object => ({
  type: 'JsonField',
  name,
  selector,
  coordinates_system,
});

interface Ran {
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Pictures that the second model was given. */
  readonly seen: readonly WorkflowImage[];
}

async function run(steps: object[], outputs: object[], predictions: readonly Prediction[] = [CAT, DOG]): Promise<Ran> {
  const seen: WorkflowImage[] = [];
  const result: FrameResult = {
    source_id: 0,
    frame_id: 1,
    captured_at_ms: 0,
    width: WIDTH,
    height: HEIGHT,
    predictions,
  };
  const parts = {
    detect: async (_: unknown, images: readonly WorkflowImage[]) => {
      seen.push(...images);
      return Promise.resolve(
        images.map(
          ({ picture: each, place }) =>
            new Detections([found('eye', 3, 2, 2, 2), found('nose', 1, 1, 1, 1)], each, place),
        ),
      );
    },
    imageJson: async ({ picture: { width, height, data } }: WorkflowImage) =>
      Promise.resolve({ width, height, first: [...data.subarray(0, 3)] }),
  };
  const frame = new WorkflowFrame(planWorkflow({ steps, outputs }, {}), parts, picture(), result);
  return { outputs: await frame.run(), seen };
}

test('a model on each crop: pictures are cut out, and boxes are told in pixels of the frame or of the crop', async () => {
  const { outputs, seen } = await run(
    [MODEL, CROP, SECOND],
    [
      json('crops', '$steps.crop.crops'),
      json('frame', '$steps.second.predictions'),
      json('own', '$steps.second.predictions', 'own'),
      json('within', '$steps.crop.predictions', 'own'),
    ],
  );
  expect(seen.map(({ picture: { width, height } }) => [width, height])).toEqual([
    [10, 6],
    // What is beyond the frame is left out.
    [7, 7],
  ]);
  expect(outputs['crops']).toEqual([
    { width: 10, height: 6, first: [15, 7, 7] },
    { width: 7, height: 7, first: [33, 23, 7] },
  ]);
  const boxes = (name: string): unknown =>
    (
      outputs[name] as { image: object; predictions: { x: number; y: number; class: string; parent_id: string }[] }[]
    ).map(({ image, predictions }) => [
      image,
      predictions.map(({ x, y, class: of, parent_id }) => [x, y, of, parent_id]),
    ]);
  expect(boxes('frame')).toEqual([
    [{ width: WIDTH, height: HEIGHT }, [[18, 9, 'eye', 'image.[0]']]],
    [{ width: WIDTH, height: HEIGHT }, [[36, 25, 'eye', 'image.[0]']]],
  ]);
  expect(boxes('own')).toEqual([
    [{ width: 10, height: 6 }, [[3, 2, 'eye', 'cat-1']]],
    [{ width: 7, height: 7 }, [[3, 2, 'eye', 'dog-1']]],
  ]);
  expect(boxes('within')).toEqual([
    [{ width: 10, height: 6 }, [[5, 3, 'cat', 'cat-1']]],
    [{ width: 7, height: 7 }, [[5, 5, 'dog', 'dog-1']]],
  ]);
});

test('a crop that is outside of the frame is null, and what follows of it', async () => {
  const { outputs, seen } = await run(
    [
      MODEL,
      CROP,
      SECOND,
      {
        type: 'PropertyDefinition',
        name: 'count',
        data: '$steps.second.predictions',
        operations: [{ type: 'SequenceLength' }],
      },
    ],
    [
      json('crops', '$steps.crop.crops'),
      json('found', '$steps.second.predictions'),
      json('count', '$steps.count.output'),
    ],
    [OUTSIDE, CAT],
  );
  expect(seen).toHaveLength(1);
  expect(outputs).toMatchObject({
    crops: [null, { width: 10 }],
    found: [null, { predictions: [{ class: 'eye' }] }],
    count: [null, 1],
  });
});

test('nothing found: no crops, and no run of the second model', async () => {
  const { outputs, seen } = await run(
    [MODEL, CROP, SECOND],
    [json('p', '$steps.model.predictions'), json('crops', '$steps.crop.crops'), json('s', '$steps.second.predictions')],
    [],
  );
  expect(seen).toEqual([]);
  expect(outputs).toEqual({ p: { image: { width: WIDTH, height: HEIGHT }, predictions: [] }, crops: [], s: [] });
});

test('filters, properties and all outputs of a step at once; the keys of detections in their order', async () => {
  const filter = {
    type: 'DetectionsFilter',
    name: 'cats',
    predictions: '$steps.model.predictions',
    operations_parameters: { wanted: ['cat'] },
    operations: [
      {
        type: 'DetectionsFilter',
        filter_operation: {
          type: 'StatementGroup',
          statements: [
            {
              type: 'BinaryStatement',
              left_operand: {
                type: 'DynamicOperand',
                operations: [{ type: 'ExtractDetectionProperty', property_name: 'class_name' }],
              },
              comparator: { type: 'in (Sequence)' },
              right_operand: { type: 'DynamicOperand', operand_name: 'wanted' },
            },
          ],
        },
      },
    ],
  };
  const size = {
    type: 'PropertyDefinition',
    name: 'size',
    data: '$inputs.image',
    operations: [{ type: 'ExtractImageProperty', property_name: 'width' }],
  };
  const { outputs } = await run(
    [MODEL, filter, size],
    [json('all', '$steps.model.*'), json('cats', '$steps.cats.predictions'), json('width', '$steps.size.output')],
  );
  expect(outputs['all']).toMatchObject({ inference_id: expect.any(String) as string, model_id: 'some/1' });
  expect(outputs['width']).toBe(WIDTH);
  const { predictions } = outputs['cats'] as { predictions: object[] };
  expect(predictions.map((each) => Object.keys(each))).toEqual([
    ['width', 'height', 'x', 'y', 'confidence', 'class_id', 'class', 'detection_id', 'parent_id'],
  ]);
});

test('boxes and labels are drawn one upon another, and not into the frame itself', async () => {
  const box = {
    type: 'BoundingBoxVisualization',
    name: 'box',
    image: '$inputs.image',
    predictions: '$steps.model.predictions',
    color_palette: 'CUSTOM',
    custom_colors: ['#0102FE'],
    thickness: 1,
  };
  const label = {
    type: 'LabelVisualization',
    name: 'label',
    image: '$steps.box.image',
    predictions: '$steps.model.predictions',
    color_palette: 'CUSTOM',
    custom_colors: ['#0102FE'],
  };
  const corner = found('cat', 5, 5, 10, 10);
  const { outputs } = await run(
    [MODEL, box, label],
    [json('frame', '$inputs.image'), json('boxes', '$steps.box.image'), json('labels', '$steps.label.image')],
    [corner],
  );
  expect(outputs).toEqual({
    frame: { width: WIDTH, height: HEIGHT, first: [0, 0, 7] },
    boxes: { width: WIDTH, height: HEIGHT, first: [1, 2, 254] },
    labels: { width: WIDTH, height: HEIGHT, first: [1, 2, 254] },
  });
});
