import { MillraceError } from '../../../base/errors.ts';
import type { FrameResult } from '../../../media/sinks/results/result-record.ts';
import type { DetectorFamily, Preprocessing } from '../../../pipelines/common/detector-info.ts';
import type { PipelineProgram } from '../../../pipelines/common/messages.ts';
import type { ModelConfiguration } from '../../../pipelines/common/pipeline-schema.ts';
import type { ModelSession } from '../../../runtime/model-session.ts';
import { elementCount, tensorOf, typedData, type Tensor, type TensorSpec } from '../../../tensor/tensor.ts';
import { suppress, thresholdsOf, toPrediction } from '../boxes.ts';
import type { FrameInference } from '../frame-inference.ts';
import type { SourceFrame } from '../source-runner.ts';
import { decodeBoxes, familyOf, isNmsFree, type Matrix } from './decode.ts';
import { Preprocessor, takesPlanes, undo, type Placement } from './preprocess.ts';

/** Of a model whose input does not say, and whose preprocessing does not either. */
const SIDE = 640;
/** Sides of what goes into a model with a dynamic batch. */
const MULTIPLE = 32;

/** A detection model with what goes before and after it, as Roboflow's (sheet §5). */
export class DetectorInference implements FrameInference {
  readonly pixels: 'rgb24' | 'yuv420p';
  readonly keepsFrames = false;
  readonly #session: ModelSession;
  readonly #input: TensorSpec;
  readonly #family: DetectorFamily;
  readonly #preprocessing: Preprocessing;
  readonly #classNames: readonly string[];
  readonly #preprocessors = new Map<number, Preprocessor>();
  /** Of the picture in the input. */
  readonly #width: number;
  readonly #height: number;
  readonly #inputWidth: number;
  readonly #inputHeight: number;
  /** Frames in one run. */
  readonly #batch: number;
  #configuration: ModelConfiguration;
  /** The input of a run that has ended well, for the next one. */
  #spare: { readonly values: Float32Array; readonly pictures: string } | undefined;
  #isClosed = false;

  /** @throws MillraceError PIPELINE_INVALID for a model that is no detector */
  constructor(session: ModelSession, { pipeline, detector, classNames }: PipelineProgram) {
    this.#session = session;
    this.#input = imageInput(session);
    this.#family = detector?.family ?? familyOf(session.outputs, session.name);
    this.#preprocessing = detector?.preprocessing ?? { resize: 'Fit (grey edges) in' };
    this.pixels = takesPlanes(this.#preprocessing) ? 'yuv420p' : 'rgb24';
    this.#classNames = classNames;
    this.#configuration = pipeline.model_configuration;
    const [batch = -1, , height = -1, width = -1] = this.#input.shape;
    this.#batch = batch > 0 ? batch : Infinity;
    this.#width = width > 0 ? width : (this.#preprocessing.width ?? SIDE);
    this.#height = height > 0 ? height : (this.#preprocessing.height ?? SIDE);
    const isPadded = batch <= 0 && (width <= 0 || height <= 0);
    this.#inputWidth = isPadded ? upTo(this.#width) : this.#width;
    this.#inputHeight = isPadded ? upTo(this.#height) : this.#height;
  }

  configure(configuration: ModelConfiguration): void {
    this.#configuration = configuration;
  }

  async infer(batch: readonly SourceFrame[]): Promise<readonly FrameResult[]> {
    const results: FrameResult[] = [];
    for (let from = 0; from < batch.length; from += this.#batch) {
      results.push(...(await this.#run(batch.slice(from, from + this.#batch))));
    }
    return results;
  }

  close(): void {
    this.#isClosed = true;
  }

  async #run(batch: readonly SourceFrame[]): Promise<FrameResult[]> {
    const rows = Number.isFinite(this.#batch) ? this.#batch : batch.length;
    const size = 3 * this.#inputWidth * this.#inputHeight;
    const pictures = batch.map(({ frame }) => `${frame.width}x${frame.height}`).join();
    const values = this.#memory(rows * size, pictures);
    const placements = batch.map(({ sourceId, frame }, row) =>
      this.#preprocessor(sourceId).apply(
        frame,
        values.subarray(row * size, (row + 1) * size),
        this.#inputWidth,
        this.#inputHeight,
      ),
    );
    const shape = [rows, 3, this.#inputHeight, this.#inputWidth];
    const input = tensorOf(this.#input.name, 'FP32', shape, values);
    const outputs = await this.#session.run([input], () => !this.#isClosed, {
      isRegular: Number.isFinite(this.#batch),
    });
    this.#spare = { values, pictures };
    return batch.map((each, row) => this.#result(each, placements[row] as Placement, outputs, rows, row));
  }

  /** What pictures of other sizes have left would be seen beside smaller ones. */
  #memory(length: number, pictures: string): Float32Array {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare?.values.length === length && spare.pictures === pictures) return spare.values;
    return new Float32Array(length);
  }

  #result(each: SourceFrame, placement: Placement, outputs: readonly Tensor[], rows: number, row: number): FrameResult {
    const thresholds = thresholdsOf(this.#configuration);
    const isRoboflow = thresholds.nms === 'roboflow';
    const matrices = outputs.map((output) => matrixOf(output, rows, row));
    const boxes = decodeBoxes(this.#family, matrices, thresholds.confidence);
    const best = isNmsFree(this.#family)
      ? boxes
          .toSorted((a, b) => b.score - a.score)
          .slice(0, this.#family === 'yolo26' ? undefined : thresholds.maxDetections)
      : suppress(boxes, thresholds);
    const { frame, sourceId, frameId, capturedAtMs } = each;
    return {
      source_id: sourceId,
      frame_id: frameId,
      captured_at_ms: capturedAtMs,
      width: frame.width,
      height: frame.height,
      predictions: best.map((box) => toPrediction(undo(box, placement, isRoboflow), this.#classNames, isRoboflow)),
    };
  }

  #preprocessor(sourceId: number): Preprocessor {
    let preprocessor = this.#preprocessors.get(sourceId);
    if (preprocessor === undefined) {
      preprocessor = new Preprocessor(this.#preprocessing, this.#width, this.#height);
      this.#preprocessors.set(sourceId, preprocessor);
    }
    return preprocessor;
  }
}

const upTo = (side: number): number => Math.ceil(side / MULTIPLE) * MULTIPLE;

/** One row of a batch: the output's last two dimensions. */
function matrixOf(output: Tensor, rows: number, row: number): Matrix {
  const { shape } = output;
  const [height = 0, width = 0] = shape.slice(-2);
  const values = typedData(output);
  if (!(values instanceof Float32Array) || shape.length !== 3 || elementCount(shape) !== rows * height * width) {
    throw new MillraceError(
      'WRONG_SHAPE',
      `output "${output.name}": ${output.datatype} [${shape.join(',')}] given, FP32 [${rows},rows,columns] expected`,
    );
  }
  return { rows: height, columns: width, values: values.subarray(row * height * width, (row + 1) * height * width) };
}

function imageInput({ name, inputs }: ModelSession): TensorSpec {
  const [input] = inputs;
  const [, channels, ...sides] = input?.shape ?? [];
  if (input !== undefined && inputs.length === 1 && input.datatype === 'FP32' && sides.length === 2 && channels === 3)
    return input;
  const given = inputs.map(({ name: each, datatype, shape }) => `${each} ${datatype} [${shape.join(',')}]`).join(', ');
  throw new MillraceError(
    'PIPELINE_INVALID',
    `model "${name}": input ${given} found, one input FP32 [batch,3,height,width] expected; put other models into a graph`,
    { details: { servable: name } },
  );
}
