import { describe, expect, test } from 'vitest';
import { RoboflowFailure } from '../failure.ts';
import { planWorkflow } from './plan-workflow.ts';

const MODEL = { type: 'ObjectDetectionModel', name: 'model', image: '$inputs.image', model_id: 'some/1' };
const CROP = {
  type: 'roboflow_core/dynamic_crop@v1',
  name: 'crop',
  images: '$inputs.image',
  predictions: '$steps.model.predictions',
};
const OUTPUT = { type: 'JsonField', name: 'p', selector: '$steps.model.predictions' };

const plan = (steps: object[], outputs: object[] = [OUTPUT], parameters = {}, inputs: object[] = []) =>
  planWorkflow({ version: '1.0', inputs, steps, outputs }, parameters);

function refusal(make: () => unknown): { readonly errorClass: unknown; readonly message: string } {
  try {
    make();
  } catch (error) {
    const { details, message, type } = error as RoboflowFailure;
    expect(type).toBe('invalid_payload');
    expect(details.publicMessage).toBe(message);
    return { errorClass: details.errorClass, message };
  }
  throw new Error('it was not refused');
}

test('steps come into an order in which they can run, the model of the frame first', () => {
  const second = { ...MODEL, name: 'second', image: '$steps.crop.crops', model_id: 'other/2' };
  const label = {
    type: 'LabelVisualization',
    name: 'label',
    image: '$steps.box.image',
    predictions: '$steps.filter.predictions',
    text: 'Class and Confidence',
  };
  const box = {
    type: 'roboflow_core/bounding_box_visualization@v1',
    name: 'box',
    image: '$inputs.image',
    predictions: '$steps.filter.predictions',
    color_palette: 'CUSTOM',
    custom_colors: ['#FF8000'],
    thickness: 3,
  };
  const filter = { type: 'DetectionsFilter', name: 'filter', predictions: '$steps.model.predictions', operations: [] };
  const { steps, outputs } = plan(
    [second, label, { ...CROP, predictions: '$steps.filter.predictions' }, box, filter, MODEL],
    [
      OUTPUT,
      { type: 'JsonField', name: 'all', selector: '$steps.second.*' },
      { type: 'JsonField', name: 'frame', selector: '$inputs.image' },
      { type: 'JsonField', name: 'own', selector: '$steps.second.predictions', coordinates_system: 'own' },
    ],
  );
  const names = steps.map(({ name }) => name);
  expect(names[0]).toBe('model');
  for (const [before, after] of [
    ['filter', 'crop'],
    ['crop', 'second'],
    ['filter', 'box'],
    ['box', 'label'],
  ]) {
    expect(names.indexOf(before ?? '')).toBeLessThan(names.indexOf(after ?? ''));
  }
  expect(steps.find(({ name }) => name === 'box')).toMatchObject({ what: 'boxes', size: 3, colours: [[255, 128, 0]] });
  expect(steps.find(({ name }) => name === 'label')).toMatchObject({ what: 'labels', text: 'Class and Confidence' });
  expect(outputs).toEqual([
    { name: 'p', of: { from: 'step', step: 'model', output: 'predictions' }, isOwn: false },
    { name: 'all', of: { from: 'step', step: 'second', output: '*' }, isOwn: false },
    { name: 'frame', of: { from: 'frame' }, isOwn: false },
    { name: 'own', of: { from: 'step', step: 'second', output: 'predictions' }, isOwn: true },
  ]);
});

test('parameters go before defaults, and defaults before what the model has', () => {
  const step = {
    ...MODEL,
    confidence: '$inputs.threshold',
    iou_threshold: '$inputs.overlap',
    class_filter: '$inputs.classes',
    class_agnostic_nms: true,
    max_detections: 7,
    max_candidates: null,
  };
  const inputs = [
    { type: 'WorkflowImage', name: 'image' },
    { type: 'WorkflowParameter', name: 'threshold', default_value: 0.2 },
    { type: 'InferenceParameter', name: 'overlap', default_value: 0.6 },
    { type: 'WorkflowParameter', name: 'classes' },
  ];
  const { steps } = plan([step], [OUTPUT], { overlap: 0.7, classes: ['cat'] }, inputs);
  expect(steps).toEqual([
    {
      kind: 'detect',
      name: 'model',
      image: { from: 'frame' },
      modelId: 'some/1',
      configuration: {
        nms: 'roboflow',
        confidence: 0.2,
        iou_threshold: 0.7,
        class_agnostic_nms: true,
        max_detections: 7,
      },
      classFilter: ['cat'],
    },
  ]);
});

test('the frame may have another name', () => {
  const specification = { steps: [{ ...MODEL, image: '$inputs.camera' }], outputs: [OUTPUT] };
  expect(planWorkflow(specification, {}, 'camera').steps[0]).toMatchObject({ image: { from: 'frame' } });
  expect(refusal(() => planWorkflow(specification, {})).message).toContain("'$inputs.camera' given");
});

const filterOf = (operations: unknown): object => ({
  type: 'DetectionsFilter',
  name: 'filter',
  predictions: '$steps.model.predictions',
  operations,
});

describe('what is refused names the step and the type of its block', () => {
  test.each([
    [
      'a block that is not there',
      [MODEL, { type: 'roboflow_core/byte_tracker@v3', name: 'track' }],
      'step "track" (roboflow_core/byte_tracker@v3): blocks of this type are not run here; there are roboflow_core/roboflow_object_detection_model@v1',
    ],
    ['no model', [], 'steps none given, one of them an object detection model on $inputs.image expected'],
    ['no type', [{ name: 'x' }], 'steps[0]: type: None given'],
    ['no name', [{ type: 'Crop' }], 'steps[0] (Crop): name: None given'],
    ['two of a name', [MODEL, MODEL], 'two steps are named "model"'],
    [
      'a circle',
      [{ ...MODEL, image: '$steps.crop.crops' }, CROP],
      'steps wait for each other: step "model" (ObjectDetectionModel), step "crop" (roboflow_core/dynamic_crop@v1)',
    ],
    [
      'no model_id',
      [{ ...MODEL, model_id: 5 }],
      'step "model" (ObjectDetectionModel): model_id: 5 given, a text expected',
    ],
    ['a threshold that is none', [{ ...MODEL, confidence: 'high' }], "confidence: 'high' given, a number expected"],
    [
      'a parameter without a value',
      [{ ...MODEL, confidence: '$inputs.c' }],
      'confidence: $inputs.c given, a value or a parameter expected',
    ],
    [
      'classes that are none',
      [{ ...MODEL, class_filter: 'cat' }],
      "class_filter: 'cat' given, a list of texts expected",
    ],
    [
      'a step that there is not',
      [MODEL, { ...CROP, predictions: '$steps.nothing.predictions' }],
      'step "crop" (roboflow_core/dynamic_crop@v1): predictions: \'$steps.nothing.predictions\' given, one of $inputs.image, $steps.model.inference_id',
    ],
    [
      'an output that there is not',
      [MODEL, { ...CROP, predictions: '$steps.model.boxes' }],
      "'$steps.model.boxes' given",
    ],
    ['all outputs for one', [MODEL, { ...CROP, predictions: '$steps.model.*' }], "'$steps.model.*' given"],
    [
      'detections for an image',
      [MODEL, { ...CROP, images: '$steps.model.predictions' }],
      "images: '$steps.model.predictions' given, an image expected",
    ],
    [
      'an image for detections',
      [MODEL, { ...CROP, predictions: '$inputs.image' }],
      "predictions: '$inputs.image' given, detections expected",
    ],
    [
      'crops of crops',
      [MODEL, CROP, { ...CROP, name: 'again', images: '$steps.crop.crops' }],
      'step "again" (roboflow_core/dynamic_crop@v1): it cuts pictures out of what was cut out already',
    ],
    [
      'boxes of the frame in its crops',
      [
        MODEL,
        CROP,
        {
          type: 'BoundingBoxVisualization',
          name: 'box',
          image: '$steps.crop.crops',
          predictions: '$steps.model.predictions',
        },
      ],
      'one is of the frame, one of its crops',
    ],
    [
      'colours by track',
      [
        MODEL,
        {
          type: 'BoundingBoxVisualization',
          name: 'box',
          image: '$inputs.image',
          predictions: '$steps.model.predictions',
          color_axis: 'TRACK',
        },
      ],
      "color_axis: 'TRACK' given, CLASS or INDEX expected",
    ],
    [
      'a label of another kind',
      [
        MODEL,
        {
          type: 'LabelVisualization',
          name: 'l',
          image: '$inputs.image',
          predictions: '$steps.model.predictions',
          text: 'Tracker Id',
        },
      ],
      "text: 'Tracker Id' given, one of Class, Confidence",
    ],
    [
      'colours that are none',
      [
        MODEL,
        {
          type: 'LabelVisualization',
          name: 'l',
          image: '$inputs.image',
          predictions: '$steps.model.predictions',
          color_palette: 'CUSTOM',
          custom_colors: ['red'],
        },
      ],
      "custom_colors: ['red'] given, a list of colours",
    ],
    [
      'an operation that is not there',
      [MODEL, filterOf([{ type: 'PickDetectionsByParentClass' }])],
      'step "filter" (DetectionsFilter): operation PickDetectionsByParentClass is not there',
    ],
    [
      'a regular expression',
      [MODEL, filterOf([{ type: 'StringMatches', regex: '(a+)+' }])],
      'operation StringMatches is not run: a regular expression can hold up its host',
    ],
    ['operations that are no list', [MODEL, filterOf(5)], 'step "filter" (DetectionsFilter): operations: 5 given'],
    ['an operation without its field', [MODEL, filterOf([{ type: 'Multiply' }])], 'operations[0].other: missing'],
    [
      'parameters of another step',
      [MODEL, { ...filterOf([]), operations_parameters: { zone: '$steps.model.predictions' } }],
      'operations_parameters.zone: $steps.model.predictions given',
    ],
  ])('%s', (_, steps, message) => {
    expect(refusal(() => plan(steps)).message).toContain(message);
  });

  test.each([
    ['no name', { type: 'JsonField', selector: '$inputs.image' }, 'outputs: name: None given'],
    [
      'another system of coordinates',
      { ...OUTPUT, coordinates_system: 'x' },
      'output "p": coordinates_system: \'x\' given, own or parent expected',
    ],
    ['a selector that is none', { ...OUTPUT, selector: 5 }, 'output "p": selector: 5 given'],
  ])('an output with %s', (_, output, message) => {
    expect(refusal(() => plan([MODEL], [output])).message).toContain(message);
  });

  test("with a class of Roboflow's", () => {
    expect(refusal(() => planWorkflow(5, {}))).toMatchObject({ errorClass: 'WorkflowSyntaxError' });
    expect(refusal(() => plan([MODEL], [{ ...OUTPUT, selector: '$steps.x.y' }])).errorClass).toBe(
      'InvalidReferenceTargetError',
    );
    expect(refusal(() => plan(Array.from({ length: 65 }, () => MODEL))).message).toContain(
      '65 steps given, at most 64',
    );
  });
});
