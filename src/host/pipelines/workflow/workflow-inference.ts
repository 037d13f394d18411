import { localTime } from '../../../media/sinks/results/payload.ts';
import type { FrameResult } from '../../../media/sinks/results/result-record.ts';
import type { ModelConfiguration } from '../../../pipelines/common/pipeline-schema.ts';
import type { DetectStep, WorkflowPlan } from '../../../pipelines/common/workflow/plan.ts';
import { Detections, WorkflowImage } from '../../../pipelines/common/workflow/values.ts';
import { encodeJpeg } from '../encode-jpeg.ts';
import type { FrameInference } from '../frame-inference.ts';
import type { SourceFrame } from '../source-runner.ts';
import { WorkflowFrame } from './run-workflow.ts';

/** The models of a workflow: that of the pipeline, and by the names of their steps those of further steps. */
export interface WorkflowModels extends Disposable {
  readonly main: FrameInference;
  readonly further: ReadonlyMap<string, FrameInference>;
}

/** Quality of Roboflow's JPEGs. */
const QUALITY = 95;

/** A workflow on each frame: the pipeline's own model, then what the other steps make of what it found. */
export class WorkflowInference implements FrameInference {
  readonly pixels = 'rgb24';
  readonly #plan: WorkflowPlan;
  readonly #models: WorkflowModels;

  constructor(plan: WorkflowPlan, models: WorkflowModels) {
    this.#plan = plan;
    this.#models = models;
  }

  get keepsFrames(): boolean {
    return this.#models.main.keepsFrames;
  }

  configure(configuration: ModelConfiguration): void {
    this.#models.main.configure(configuration);
  }

  async infer(batch: readonly SourceFrame[]): Promise<readonly (FrameResult | undefined)[]> {
    const results = await this.#models.main.infer(batch);
    return Promise.all(
      batch.map(async (each, index) => {
        const result = results[index];
        return result === undefined ? undefined : this.#finish(each, result);
      }),
    );
  }

  close(): void {
    this.#models.main.close();
    for (const inference of this.#models.further.values()) inference.close();
    this.#models[Symbol.dispose]();
  }

  /** @returns the result of its model, with the outputs of the workflow in the place of its own */
  async #finish(each: SourceFrame, result: FrameResult): Promise<FrameResult> {
    const place = { parentId: `image.[${each.sourceId}]`, left: 0, top: 0 };
    const image = new WorkflowImage(each.frame, place);
    const parts = {
      detect: (step: DetectStep, images: readonly WorkflowImage[]) => this.#detect(each, step, images),
      imageJson: (given: WorkflowImage) => imageJson(given, each),
    };
    return { ...result, outputs: await new WorkflowFrame(this.#plan, parts, image, result).run() };
  }

  async #detect(each: SourceFrame, { name }: DetectStep, images: readonly WorkflowImage[]): Promise<Detections[]> {
    const inference = this.#models.further.get(name);
    if (inference === undefined) throw new TypeError(`no model of step ${name}: this is a bug`);
    const frames = images.map(({ picture }): SourceFrame => ({ ...each, frame: { ...each.frame, ...picture } }));
    const results = await inference.infer(frames);
    return images.map(({ picture, place }, index) => new Detections(results[index]?.predictions ?? [], picture, place));
  }
}

/** An image as Roboflow's serialiser writes it (sheet §1b). */
async function imageJson({ picture }: WorkflowImage, each: SourceFrame): Promise<object> {
  const { frameId, sourceId, capturedAtMs, video } = each;
  const jpeg = await encodeJpeg(picture, QUALITY);
  return {
    type: 'base64',
    value: Buffer.from(jpeg).toString('base64'),
    video_metadata: {
      video_identifier: String(sourceId),
      frame_number: frameId,
      frame_timestamp: localTime(capturedAtMs),
      fps: video.fps ?? null,
      measured_fps: video.measuredFps ?? null,
      comes_from_video_file: !video.isLive,
    },
  };
}
