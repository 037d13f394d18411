import { describeIssues } from '../../../base/schema-issues.ts';
import type { ModelConfiguration } from '../../common/pipeline-schema.ts';
import { OPERATION_TYPES, operations, type Operation } from '../../common/workflow/operations.ts';
import { LABEL_TEXTS, type DrawStep, type WorkflowStep } from '../../common/workflow/plan.ts';
import { pythonRepr } from '../python-text.ts';
import { syntax, where, type RawStep, type WorkflowReader } from './workflow-reader.ts';

type ReadStep = (step: RawStep, reader: WorkflowReader) => WorkflowStep;

/** The blocks that are understood, by all names that theirs have. */
const BLOCKS: ReadonlyMap<string, ReadStep> = new Map(
  [
    {
      types: [
        'roboflow_core/roboflow_object_detection_model@v1',
        'roboflow_core/roboflow_object_detection_model@v2',
        'RoboflowObjectDetectionModel',
        'ObjectDetectionModel',
      ],
      read: detect,
    },
    { types: ['roboflow_core/detections_filter@v1', 'DetectionsFilter'], read: filter },
    { types: ['roboflow_core/dynamic_crop@v1', 'DynamicCrop', 'Crop'], read: crop },
    {
      types: ['roboflow_core/property_definition@v1', 'PropertyDefinition', 'PropertyExtraction'],
      read: property,
    },
    {
      types: ['roboflow_core/bounding_box_visualization@v1', 'BoundingBoxVisualization'],
      read: draw('boxes'),
    },
    { types: ['roboflow_core/label_visualization@v1', 'LabelVisualization'], read: draw('labels') },
  ].flatMap(({ types, read }) => types.map((type) => [type, read] as const)),
);

/** @throws RoboflowFailure for a block that there is not here, naming it and those that there are */
export function readStep(step: RawStep, reader: WorkflowReader): WorkflowStep {
  const read = BLOCKS.get(step.type);
  if (read !== undefined) return read(step, reader);
  const known = [...BLOCKS.keys()].filter((type) => type.startsWith('roboflow_core/')).join(', ');
  throw syntax(`${where(step)}: blocks of this type are not run here; there are ${known}. Write a graph for the rest`);
}

function detect(step: RawStep, reader: WorkflowReader): WorkflowStep {
  const modelId = reader.setting(step, 'model_id');
  if (typeof modelId !== 'string' || modelId === '') {
    throw syntax(`${where(step)}: model_id: ${pythonRepr(modelId ?? null)} given, a text expected`);
  }
  const classFilter = reader.setting(step, 'class_filter');
  if (
    classFilter !== undefined &&
    !(Array.isArray(classFilter) && classFilter.every((each) => typeof each === 'string'))
  ) {
    throw syntax(`${where(step)}: class_filter: ${pythonRepr(classFilter)} given, a list of texts expected`);
  }
  const agnostic = reader.setting(step, 'class_agnostic_nms');
  const whole = (field: string): number | undefined => {
    const value = reader.number(step, field);
    return value === undefined ? undefined : Math.max(0, Math.trunc(value));
  };
  const given = {
    confidence: reader.number(step, 'confidence'),
    iou_threshold: reader.number(step, 'iou_threshold'),
    class_agnostic_nms: typeof agnostic === 'boolean' ? agnostic : undefined,
    max_detections: whole('max_detections'),
    max_candidates: whole('max_candidates'),
  };
  const configuration: ModelConfiguration = {
    nms: 'roboflow',
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  return {
    kind: 'detect',
    name: step.name,
    image: reader.expect(step, 'images', reader.reference(step, 'images', 'image'), 'image'),
    modelId,
    configuration,
    ...(classFilter !== undefined && { classFilter }),
  };
}

function filter(step: RawStep, reader: WorkflowReader): WorkflowStep {
  const { operations_parameters: given = {} } = step.fields as { readonly operations_parameters?: object };
  const parameters = Object.fromEntries(
    Object.entries(given ?? {}).map(([name, value]) => [
      name,
      reader.resolve(step, `operations_parameters.${name}`, value),
    ]),
  );
  return {
    kind: 'filter',
    name: step.name,
    predictions: reader.expect(step, 'predictions', reader.reference(step, 'predictions'), 'predictions'),
    operations: operationsOf(step),
    parameters,
  };
}

function crop(step: RawStep, reader: WorkflowReader): WorkflowStep {
  const image = reader.expect(step, 'images', reader.reference(step, 'images', 'image'), 'image');
  const predictions = reader.expect(
    step,
    'predictions',
    reader.reference(step, 'predictions', 'detections'),
    'predictions',
  );
  if (reader.levelOf(image) > 0 || reader.levelOf(predictions) > 0) {
    throw syntax(
      `${where(step)}: it cuts pictures out of what was cut out already; one Dynamic Crop after another is not run`,
    );
  }
  return { kind: 'crop', name: step.name, image, predictions };
}

function property(step: RawStep, reader: WorkflowReader): WorkflowStep {
  return { kind: 'property', name: step.name, data: reader.reference(step, 'data'), operations: operationsOf(step) };
}

function draw(what: DrawStep['what']): ReadStep {
  return (step, reader) => {
    const image = reader.expect(step, 'image', reader.reference(step, 'image', 'images'), 'image');
    const predictions = reader.expect(step, 'predictions', reader.reference(step, 'predictions'), 'predictions');
    if (reader.levelOf(image) !== reader.levelOf(predictions)) {
      throw syntax(
        `${where(step)}: image and predictions are not of the same pictures: one is of the frame, one of its crops`,
      );
    }
    const axis = reader.setting(step, 'color_axis') ?? 'CLASS';
    if (axis !== 'CLASS' && axis !== 'INDEX') {
      throw syntax(`${where(step)}: color_axis: ${pythonRepr(axis)} given, CLASS or INDEX expected`);
    }
    const text = reader.setting(step, 'text') ?? 'Class';
    if (!(LABEL_TEXTS as readonly unknown[]).includes(text)) {
      throw syntax(`${where(step)}: text: ${pythonRepr(text)} given, one of ${LABEL_TEXTS.join(', ')} expected`);
    }
    const size = what === 'boxes' ? (reader.number(step, 'thickness') ?? 2) : (reader.number(step, 'text_scale') ?? 1);
    return {
      kind: 'draw',
      name: step.name,
      image,
      predictions,
      what,
      size: Math.min(Math.max(size, 0.1), 64),
      text: text as DrawStep['text'],
      byClass: axis === 'CLASS',
      colours: coloursOf(step, reader),
    };
  };
}

/** Of the palette CUSTOM; others are drawn in our own colours. */
function coloursOf(step: RawStep, reader: WorkflowReader): DrawStep['colours'] {
  if (reader.setting(step, 'color_palette') !== 'CUSTOM') return undefined;
  const given = reader.setting(step, 'custom_colors');
  const isColours =
    Array.isArray(given) && given.length > 0 && given.every((each) => /^#[0-9a-f]{6}$/i.test(String(each)));
  if (!isColours) {
    throw syntax(
      `${where(step)}: custom_colors: ${pythonRepr(given ?? null)} given, a list of colours as "#FF0000" expected`,
    );
  }
  return given.map((each) => {
    const value = Number.parseInt(String(each).slice(1), 16);
    return [value >> 16, (value >> 8) & 0xff, value & 0xff] as const;
  });
}

function operationsOf(step: RawStep): readonly Operation[] {
  const { operations: given } = step.fields;
  for (const type of operationTypes(given)) {
    if (type === 'StringMatches') {
      throw syntax(
        `${where(step)}: operation StringMatches is not run: a regular expression can hold up its host; use the comparators (String) startsWith, endsWith and contains`,
      );
    }
    if (!OPERATION_TYPES.includes(type)) {
      throw syntax(`${where(step)}: operation ${type} is not there; ${OPERATION_TYPES.join(', ')} expected`);
    }
  }
  const parsed = operations.safeParse(given);
  if (parsed.success) return parsed.data;
  throw syntax(`${where(step)}: ${describeIssues(parsed.error, given, 'operations')}`);
}

/** Of the chain itself and of those within. */
function operationTypes(given: unknown): string[] {
  if (!Array.isArray(given)) return [];
  return given.flatMap((each: unknown) => {
    const { type, operations: inner } = (each ?? {}) as { readonly type?: unknown; readonly operations?: unknown };
    return [...(typeof type === 'string' ? [type] : []), ...operationTypes(inner)];
  });
}
