import { MillraceError } from '../../base/errors.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import type { ModelConfiguration } from '../../pipelines/common/pipeline-schema.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { HostServable } from '../servable.ts';
import { suppress, thresholdsOf, toPrediction, type Box, type Thresholds } from './boxes.ts';
import type { FrameInference } from './frame-inference.ts';
import type { SourceFrame } from './source-runner.ts';
import { detectionsOf, otherOutputs } from './servable-outputs.ts';

const MAX_BYTES = 256 * 2 ** 20;
/** A servable that does not answer each frame is waited for less and less. */
const PATIENCE_MS = 2_000;
const LEAST_PATIENCE_MS = 20;
/** As long at most for further outputs of a frame that has one: a graph answers each on its own. */
const REST_PATIENCE_MS = 500;

/**
 * Frames go through a session of a graph or runtime, one for each source, as a client's stream would: UINT8
 * [height, width, 3], RGB, at the frame's timestamp. The frame's memory is the tensor's.
 */
export class SessionInference implements FrameInference {
  readonly pixels = 'rgb24';
  /** A graph may have them for as long as it likes. */
  readonly keepsFrames = true;
  readonly #servable: HostServable;
  readonly #name: string;
  readonly #input: string;
  readonly #classNames: readonly string[];
  readonly #sessions = new Map<number, FrameSession>();
  #configuration: ModelConfiguration;

  /** @throws MillraceError PIPELINE_INVALID for a servable that takes no single image */
  constructor(servable: HostServable, name: string, classNames: readonly string[], configuration: ModelConfiguration) {
    this.#servable = servable;
    this.#name = name;
    this.#input = imageInput(servable, name);
    this.#classNames = classNames;
    this.#configuration = configuration;
  }

  configure(configuration: ModelConfiguration): void {
    this.#configuration = configuration;
  }

  /** Every session has settled its frame before this rejects: it is asked one at a time. */
  async infer(batch: readonly SourceFrame[]): Promise<readonly (FrameResult | undefined)[]> {
    const asked = batch.map((each) => this.#one(each));
    await Promise.allSettled(asked);
    return Promise.all(asked);
  }

  close(): void {
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }

  async #one(each: SourceFrame): Promise<FrameResult | undefined> {
    const { sourceId, frame, frameId, capturedAtMs } = each;
    let session = this.#sessions.get(sourceId);
    if (session === undefined || session.hasEnded) {
      session = new FrameSession(this.#servable, this.#name);
      this.#sessions.set(sourceId, session);
    }
    const { width, height } = frame;
    const image: Tensor = { name: this.#input, datatype: 'UINT8', shape: [height, width, 3], data: frame.data };
    const response = await session.ask(String(frameId), image, BigInt(frame.timestampUs));
    if (response === undefined) return undefined;
    const { detections, rest } = detectionsOf(response.outputs);
    const kept = this.#kept(detections);
    const outputs = otherOutputs(rest);
    return {
      source_id: sourceId,
      frame_id: frameId,
      captured_at_ms: capturedAtMs,
      width,
      height,
      predictions: kept,
      ...(outputs !== undefined && { outputs }),
    };
  }

  /** A graph has thinned out its boxes by its own options; what the pipeline says may only narrow that. */
  #kept(found: readonly Box[]): FrameResult['predictions'] {
    const given = this.#configuration;
    const limits: Thresholds = thresholdsOf({ confidence: 0, ...given });
    const bySize = found.filter(({ score }) => score >= limits.confidence);
    const isAsked = given.iou_threshold !== undefined || given.class_agnostic_nms === true;
    const boxes = isAsked ? suppress(bySize, limits) : bySize.slice(0, limits.maxDetections);
    return boxes.map((box) => toPrediction(box, this.#classNames, limits.nms === 'roboflow'));
  }
}

interface Waiting {
  readonly id: string;
  /** What came so far. */
  response?: InferenceResponse;
  resolve(response: InferenceResponse | undefined): void;
  reject(error: Error): void;
}

/** One session, asked one frame at a time. */
class FrameSession implements SessionOutput {
  readonly #session: HostSession;
  readonly #servable: string;
  /** Outputs of a whole answer; none where the servable does not say. */
  readonly #outputs: readonly string[];
  readonly isFull = false;
  readonly maxBytes = MAX_BYTES;
  hasEnded = false;
  #waiting: Waiting | undefined;
  #failure: MillraceError | undefined;
  #patienceMs = PATIENCE_MS;
  #restMs = REST_PATIENCE_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(servable: HostServable, name: string) {
    this.#servable = name;
    this.#outputs = servable.description.outputs.map((output) => output.name);
    this.#session = servable.open({ servable: name, version: '', id: '', inputs: [], outputs: [] }, this);
  }

  ask(id: string, image: Tensor, timestampUs: bigint): Promise<InferenceResponse | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#settle()?.resolve(undefined);
      this.#waiting = { id, resolve, reject };
      this.#timer = setTimeout(() => {
        this.#patienceMs = Math.max(LEAST_PATIENCE_MS, this.#patienceMs / 2);
        this.#settle()?.resolve(undefined);
      }, this.#patienceMs);
      const parameters = { OVMS_MP_TIMESTAMP: timestampUs };
      this.#session.push({ servable: this.#servable, version: '', id, inputs: [image], outputs: [], parameters });
    });
  }

  close(): void {
    this.hasEnded = true;
    const error = new MillraceError('CANCELLED', 'the pipeline has ended');
    this.#settle()?.reject(error);
    this.#session.abort(error);
  }

  respond(response: InferenceResponse): void {
    const waiting = this.#waiting;
    if (waiting === undefined || (response.id !== '' && response.id !== waiting.id)) return;
    this.#patienceMs = PATIENCE_MS;
    const isFirst = waiting.response === undefined;
    const before = waiting.response?.outputs ?? [];
    const added = response.outputs.filter(({ name }) => !before.some((each) => each.name === name));
    const whole = (waiting.response = { ...response, outputs: [...before, ...added] });
    if (this.#outputs.every((name) => whole.outputs.some((each) => each.name === name))) {
      if (!isFirst) this.#restMs = Math.min(REST_PATIENCE_MS, this.#restMs * 2);
      this.#settle()?.resolve(whole);
    } else if (isFirst) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#restMs = Math.max(LEAST_PATIENCE_MS, this.#restMs / 2);
        this.#settle()?.resolve(waiting.response);
      }, this.#restMs);
    }
  }

  taken(): void {}

  dropped(_packets: number, request?: InferenceRequest): void {
    if (request !== undefined && request.id === this.#waiting?.id) this.#settle()?.resolve(undefined);
  }

  refuse(_request: InferenceRequest, error: MillraceError): void {
    this.#settle()?.reject(error);
  }

  end(error: MillraceError | undefined): void {
    this.hasEnded = true;
    this.#failure = error ?? new MillraceError('CANCELLED', 'the servable ended its session');
    this.#settle()?.reject(this.#failure);
  }

  #settle(): Waiting | undefined {
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}

/** The input that takes an image: the only one, or the only one of three dimensions. */
function imageInput(servable: HostServable, name: string): string {
  const { inputs } = servable.description;
  const needed = inputs.filter(({ optional }) => optional !== true);
  const images = needed.length === 1 ? needed : needed.filter(({ shape }) => shape.length === 3);
  const [input] = images;
  if (input !== undefined && images.length === 1 && needed.length === 1) return input.name;
  const names = needed.map((each) => each.name).join(', ') || 'none';
  throw new MillraceError(
    'PIPELINE_INVALID',
    `servable "${name}": inputs ${names} found, one input that takes an image, UINT8 [height, width, 3], expected`,
    { details: { servable: name } },
  );
}
