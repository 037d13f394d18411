import type { ModelConfiguration } from '../pipeline-schema.ts';
import type { Operation } from './operations.ts';

/** Where a value of a workflow comes from: the frame, or an output of a step before. */
export type Reference =
  { readonly from: 'frame' } | { readonly from: 'step'; readonly step: string; readonly output: string };

/** A detection model on the frame, or on each picture that was cut out of it. */
export interface DetectStep {
  readonly kind: 'detect';
  readonly name: string;
  readonly image: Reference;
  readonly modelId: string;
  readonly configuration: ModelConfiguration;
  /** Others are left out. Undefined: none is. */
  readonly classFilter?: readonly string[] | undefined;
}

/** Some of a step's detections. */
export interface FilterStep {
  readonly kind: 'filter';
  readonly name: string;
  readonly predictions: Reference;
  readonly operations: readonly Operation[];
  /** Values that the operations name. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A picture of each detection. */
export interface CropStep {
  readonly kind: 'crop';
  readonly name: string;
  readonly image: Reference;
  readonly predictions: Reference;
}

/** A value that is worked out of another. */
export interface PropertyStep {
  readonly kind: 'property';
  readonly name: string;
  readonly data: Reference;
  readonly operations: readonly Operation[];
}

export const LABEL_TEXTS = ['Class', 'Confidence', 'Class and Confidence', 'Index', 'Dimensions', 'Area'] as const;

/** A picture with boxes, or labels, drawn into it. */
export interface DrawStep {
  readonly kind: 'draw';
  readonly name: string;
  readonly image: Reference;
  readonly predictions: Reference;
  readonly what: 'boxes' | 'labels';
  /** Of boxes, in pixels; of labels, a factor of the letters' size. */
  readonly size: number;
  /** Of labels. */
  readonly text: (typeof LABEL_TEXTS)[number];
  readonly byClass: boolean;
  /** RGB; undefined: our own. */
  readonly colours?: readonly (readonly [number, number, number])[] | undefined;
}

export type WorkflowStep = DetectStep | FilterStep | CropStep | PropertyStep | DrawStep;

export interface WorkflowOutput {
  readonly name: string;
  /** The frame, one output of a step, or with `*` all of them by name. */
  readonly of: Reference;
  /** Coordinates are of the picture that the detections were made in; else of the frame. */
  readonly isOwn: boolean;
}

/** A workflow that can be run: plain JSON, its steps in an order in which they can be. */
export interface WorkflowPlan {
  /** The first is the model of the pipeline, on the frame. */
  readonly steps: readonly WorkflowStep[];
  readonly outputs: readonly WorkflowOutput[];
}

/** The outputs of each kind of step, as their blocks name them. */
export const STEP_OUTPUTS: Readonly<Record<WorkflowStep['kind'], readonly string[]>> = {
  detect: ['inference_id', 'predictions', 'model_id'],
  filter: ['predictions'],
  crop: ['crops', 'predictions'],
  property: ['output'],
  draw: ['image'],
};

/** The step that the pipeline's own servable does. */
export function mainStep({ steps }: WorkflowPlan): DetectStep {
  const [first] = steps;
  if (first?.kind !== 'detect') throw new TypeError('a workflow whose first step is no detection model: this is a bug');
  return first;
}

/** The steps whose models are others than the pipeline's own. */
export function furtherDetections({ steps }: WorkflowPlan): DetectStep[] {
  return steps.slice(1).filter((step) => step.kind === 'detect');
}
