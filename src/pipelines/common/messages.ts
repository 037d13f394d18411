import type { ErrorDetails, Reason } from '../../base/errors.ts';
import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import type { HostReport, StatusUpdate } from './report.ts';
import type { AdaptiveSettings, ModelConfiguration, PipelineRequest } from './pipeline-schema.ts';
import type { Operation } from './states.ts';
import type { DetectorInfo } from './detector-info.ts';

/** How sources are buffered where their pipeline does not say. */
export interface SourceDefaults {
  readonly buffer_size?: number | undefined;
  readonly adaptive?: AdaptiveSettings | undefined;
  readonly reconnect_delay_s?: number | undefined;
  readonly drop_frames_of_files?: boolean | undefined;
}

/** A model that a workflow runs besides the pipeline's own. */
export interface WorkflowModel {
  readonly servable: string;
  /** "" for the newest. */
  readonly version: string;
  readonly detector: DetectorInfo | undefined;
  readonly classNames: readonly string[];
}

/** What the front gives a host to run. */
export interface PipelineProgram {
  readonly id: string;
  readonly pipeline: PipelineRequest;
  /** How the model's tensors are made and read; undefined: the servable takes images itself, or its shapes tell. */
  readonly detector: DetectorInfo | undefined;
  /** Names by class id; ids themselves where there is none. */
  readonly classNames: readonly string[];
  /** Of workflows: the models of further steps, by the steps' names. */
  readonly models?: Readonly<Record<string, WorkflowModel>> | undefined;
  /** Of the configuration: what of sources the pipeline does not say. */
  readonly sources?: SourceDefaults | undefined;
  /** Videos over HTTP may not lead to other hosts than their own. */
  readonly isConfined?: boolean | undefined;
  /** Frame numbers go on from here after a host was lost: by source. */
  readonly startFrames: readonly number[];
  /** Numbers of results go on from here. */
  readonly startSequence: number;
  /** What a paused pipeline is restored to after its host was lost. */
  readonly isHeld: boolean;
}

/** Front → host, as the parameter `command` of a request; its id comes back with the reply. */
export type PipelineCommand =
  | { readonly type: 'operate'; readonly operation: Operation }
  | {
      readonly type: 'patch';
      readonly model_configuration?: ModelConfiguration;
      readonly max_fps?: number | null;
    }
  /** Whether somebody reads results and pictures at the front. */
  | { readonly type: 'watch'; readonly results: boolean; readonly frames: boolean };

export interface PlainFailure {
  readonly reason: Reason;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** Host → front, as the parameter `message` of a response. A `frame` has its JPEG as the output. */
export type PipelineMessage =
  | { readonly type: 'reply'; readonly error?: PlainFailure; readonly answer?: 'done' | 'already' }
  | { readonly type: 'report'; readonly report: HostReport }
  | { readonly type: 'update'; readonly update: StatusUpdate }
  /** Results of one batch, with their number. */
  | { readonly type: 'results'; readonly sequence: number; readonly results: readonly FrameResult[] }
  | { readonly type: 'frame'; readonly source_id: number; readonly frame_id: number };
