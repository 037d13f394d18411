import { RoboflowFailure } from './failure.ts';

/** What a workflow of one detection model comes to. */
export interface WorkflowPlan {
  readonly modelId: string;
  readonly confidence: number | undefined;
  readonly iouThreshold: number | undefined;
  readonly classAgnostic: boolean | undefined;
  readonly maxDetections: number | undefined;
  /** Names of outputs, and what each is of: predictions, or the frame itself. */
  readonly outputs: readonly { readonly name: string; readonly of: 'predictions' | 'image' }[];
}

interface Step {
  readonly type?: unknown;
  readonly name?: unknown;
  readonly [field: string]: unknown;
}

const MODEL_STEP = /object_detection_model|ObjectDetectionModel/;

/**
 * Reads Roboflow's workflow JSON, of which workflows with one object detection step and outputs of it are understood.
 * @throws RoboflowFailure invalid_payload WorkflowSyntaxError, which says what else there was
 */
export function planWorkflow(specification: unknown, parameters: Readonly<Record<string, unknown>>): WorkflowPlan {
  const { steps, outputs } = (specification ?? {}) as { readonly steps?: unknown; readonly outputs?: unknown };
  if (!Array.isArray(steps) || !Array.isArray(outputs)) throw syntax('steps and outputs expected');
  const [step, ...others] = steps as Step[];
  if (step === undefined || others.length > 0 || !MODEL_STEP.test(String(step.type))) {
    const types = (steps as Step[]).map(({ type }) => String(type)).join(', ') || 'none';
    throw syntax(
      `steps of the types ${types} given; one step of an object detection model is supported, write the rest as a graph`,
    );
  }
  const value = (field: string): unknown => resolveSelector(step[field], parameters);
  const modelId = value('model_id');
  if (typeof modelId !== 'string') throw syntax(`step ${String(step.name)}: model_id expected`);
  const number = (field: string): number | undefined => {
    const given = value(field);
    return typeof given === 'number' ? given : undefined;
  };
  const agnostic = value('class_agnostic_nms');
  return {
    modelId,
    confidence: number('confidence'),
    iouThreshold: number('iou_threshold'),
    classAgnostic: typeof agnostic === 'boolean' ? agnostic : undefined,
    maxDetections: number('max_detections'),
    outputs: (outputs as Step[]).map((output) => outputOf(output, String(step.name))),
  };
}

function outputOf({ name, selector }: Step, step: string): WorkflowPlan['outputs'][number] {
  if (typeof name !== 'string') throw syntax('an output without a name');
  if (selector === `$steps.${step}.predictions` || selector === `$steps.${step}.*`) return { name, of: 'predictions' };
  if (typeof selector === 'string' && /^\$inputs\.[A-Za-z0-9_]+$/.test(selector)) return { name, of: 'image' };
  throw syntax(`output ${name}: ${String(selector)} given, $steps.${step}.predictions or an image input expected`);
}

function resolveSelector(value: unknown, parameters: Readonly<Record<string, unknown>>): unknown {
  if (typeof value !== 'string' || !value.startsWith('$inputs.')) return value;
  return parameters[value.slice('$inputs.'.length)];
}

function syntax(message: string): RoboflowFailure {
  return new RoboflowFailure('invalid_payload', {
    errorClass: 'WorkflowSyntaxError',
    errorMessage: message,
    publicMessage: message,
  });
}
