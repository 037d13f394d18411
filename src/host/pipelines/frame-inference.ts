import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import type { ModelConfiguration } from '../../pipelines/common/pipeline-schema.ts';
import type { SourceFrame } from './source-runner.ts';

/** What a pipeline does with its frames: a graph's or runtime's sessions, or a model with what goes before and after it. */
export interface FrameInference {
  /**
   * The results of a batch, by its order; undefined for a frame that the servable had nothing to say of.
   * @throws MillraceError where the whole batch failed; the next one may go well
   */
  infer(batch: readonly SourceFrame[]): Promise<readonly (FrameResult | undefined)[]>;
  /** What frames it is best given; `rgb24` does in any case. */
  readonly pixels: 'rgb24' | 'yuv420p';
  /** Frames may be released when their results are there. */
  readonly keepsFrames: boolean;
  configure(configuration: ModelConfiguration): void;
  close(): void;
}
