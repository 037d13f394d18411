import { randomUUID } from 'node:crypto';
import type { FrameResult } from '../../../media/sinks/results/result-record.ts';
import { evaluate } from '../../../pipelines/common/workflow/evaluate.ts';
import type {
  DetectStep,
  Reference,
  WorkflowOutput,
  WorkflowPlan,
  WorkflowStep,
} from '../../../pipelines/common/workflow/plan.ts';
import { STEP_OUTPUTS } from '../../../pipelines/common/workflow/plan.ts';
import { Detections, detectionsJson, WorkflowImage } from '../../../pipelines/common/workflow/values.ts';
import { cutOut } from './cut-out.ts';
import { drawn } from './draw.ts';

/** A value for the frame, or one for each picture that was cut out of it; null where a picture was empty. */
type Value = { readonly one: unknown } | { readonly each: readonly unknown[] };

/** What a workflow needs besides its plan. */
export interface WorkflowParts {
  /** What a further model finds in pictures, by their order. */
  detect(step: DetectStep, images: readonly WorkflowImage[]): Promise<readonly Detections[]>;
  /** A picture as the JSON that Roboflow's workflows give. */
  imageJson(image: WorkflowImage): Promise<object>;
}

/** One frame on its way through a workflow. */
export class WorkflowFrame {
  readonly #plan: WorkflowPlan;
  readonly #parts: WorkflowParts;
  readonly #image: WorkflowImage;
  readonly #result: FrameResult;
  /** By `step.output`. */
  readonly #values = new Map<string, Value>();

  /** @param result of the first step, which is the pipeline's own model */
  constructor(plan: WorkflowPlan, parts: WorkflowParts, image: WorkflowImage, result: FrameResult) {
    this.#plan = plan;
    this.#parts = parts;
    this.#image = image;
    this.#result = result;
  }

  /**
   * The outputs by name, as JSON.
   * @throws MillraceError where a step cannot take its value; MODEL_FAILED
   */
  async run(): Promise<Readonly<Record<string, unknown>>> {
    for (const [index, step] of this.#plan.steps.entries()) {
      for (const [output, value] of Object.entries(await this.#outputs(step, index === 0))) {
        this.#values.set(`${step.name}.${output}`, value);
      }
    }
    const outputs: Record<string, unknown> = {};
    for (const output of this.#plan.outputs) outputs[output.name] = await this.#outputJson(output);
    return outputs;
  }

  async #outputs(step: WorkflowStep, isMain: boolean): Promise<Readonly<Record<string, Value>>> {
    switch (step.kind) {
      case 'detect':
        return {
          inference_id: { one: randomUUID() },
          model_id: { one: step.modelId },
          predictions: await this.#detect(step, isMain),
        };
      case 'filter':
        return {
          predictions: map(this.#valueOf(step.predictions), (found) =>
            evaluate(step.operations, found, step.parameters),
          ),
        };
      case 'property':
        return { output: map(this.#valueOf(step.data), (data) => evaluate(step.operations, data)) };
      case 'crop': {
        const image = one(this.#valueOf(step.image)) as WorkflowImage;
        const found = one(this.#valueOf(step.predictions)) as Detections;
        const crops = found.predictions.map((each) => cutOut(image, each) ?? null);
        const within = crops.map((crop, index) => {
          const prediction = found.predictions[index];
          if (crop === null || prediction === undefined) return null;
          const { left, top } = crop.place;
          const [x, y] = [prediction.x - left + image.place.left, prediction.y - top + image.place.top];
          return new Detections([{ ...prediction, x, y }], crop.picture, crop.place);
        });
        return { crops: { each: crops }, predictions: { each: within } };
      }
      case 'draw': {
        const found = this.#valueOf(step.predictions);
        const detections = (index: number): Detections =>
          ('each' in found ? found.each[index] : found.one) as Detections;
        return {
          image: map(this.#valueOf(step.image), (image, index) =>
            drawn(image as WorkflowImage, detections(index).predictions, step),
          ),
        };
      }
    }
  }

  async #detect(step: DetectStep, isMain: boolean): Promise<Value> {
    if (isMain) {
      return { one: wanted(step, new Detections(this.#result.predictions, this.#result, this.#image.place)) };
    }
    const images = this.#valueOf(step.image);
    if ('one' in images) {
      const [found] = await this.#parts.detect(step, [images.one as WorkflowImage]);
      return { one: found === undefined ? null : wanted(step, found) };
    }
    const present = images.each.filter((image) => image !== null) as WorkflowImage[];
    const found = present.length === 0 ? [] : await this.#parts.detect(step, present);
    const queue = found.map((each) => wanted(step, each));
    return { each: images.each.map((image) => (image === null ? null : (queue.shift() ?? null))) };
  }

  #valueOf(reference: Reference): Value {
    if (reference.from === 'frame') return { one: this.#image };
    const value = this.#values.get(`${reference.step}.${reference.output}`);
    if (value === undefined) throw new TypeError(`${reference.step}.${reference.output} was not run: this is a bug`);
    return value;
  }

  async #outputJson({ of, isOwn }: WorkflowOutput): Promise<unknown> {
    if (of.from === 'frame' || of.output !== '*') return this.#json(this.#valueOf(of), isOwn);
    const step = this.#plan.steps.find(({ name }) => name === of.step) as WorkflowStep;
    const all: Record<string, unknown> = {};
    for (const output of STEP_OUTPUTS[step.kind]) {
      all[output] = await this.#json(this.#valueOf({ from: 'step', step: of.step, output }), isOwn);
    }
    return all;
  }

  async #json(value: Value, isOwn: boolean): Promise<unknown> {
    if ('one' in value) return this.#oneJson(value.one, isOwn);
    return Promise.all(value.each.map((each) => this.#oneJson(each, isOwn)));
  }

  async #oneJson(value: unknown, isOwn: boolean): Promise<unknown> {
    if (value instanceof WorkflowImage) return this.#parts.imageJson(value);
    if (!(value instanceof Detections)) return value ?? null;
    const { width, height } = this.#result;
    return detectionsJson(value, isOwn, { width, height, id: this.#image.place.parentId });
  }
}

function wanted({ classFilter }: DetectStep, found: Detections): Detections {
  if (classFilter === undefined) return found;
  return found.with(found.predictions.filter((each) => classFilter.includes(each.class)));
}

/** Nulls stay what they are. */
function map(value: Value, change: (one: unknown, index: number) => unknown): Value {
  if ('one' in value) return { one: value.one === null ? null : change(value.one, 0) };
  return { each: value.each.map((each, index) => (each === null ? null : change(each, index))) };
}

function one(value: Value): unknown {
  if ('one' in value) return value.one;
  throw new TypeError('a value of each crop where one of the frame is expected: this is a bug');
}
