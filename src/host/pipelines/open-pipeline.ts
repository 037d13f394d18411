import { MillraceError } from '../../base/errors.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import { JsonParameter } from '../../tensor/parameters.ts';
import type { PipelineProgram } from '../../pipelines/common/messages.ts';
import { ModelServable } from '../model-servable.ts';
import type { HostServable } from '../servable.ts';
import { DetectorInference } from './detector/detector-inference.ts';
import type { FrameInference } from './frame-inference.ts';
import { PipelineSession } from './pipeline-session.ts';
import { SessionInference } from './session-inference.ts';

/**
 * Starts the pipeline that `first` describes on a servable of this host.
 * @throws MillraceError PIPELINE_INVALID for a servable that pipelines cannot use
 */
export function openPipeline(servable: HostServable, first: InferenceRequest, output: SessionOutput): HostSession {
  const given = first.parameters?.['program'];
  if (!(given instanceof JsonParameter)) throw new MillraceError('INTERNAL', 'a pipeline without its program');
  const program = JSON.parse(given.text) as PipelineProgram;
  return new PipelineSession(program, inferenceOf(servable, program), output);
}

function inferenceOf(servable: HostServable, program: PipelineProgram): FrameInference {
  const { model_id: name, model_configuration: configuration } = program.pipeline;
  if (servable instanceof ModelServable) return new DetectorInference(servable.session, program);
  return new SessionInference(servable, name, program.classNames, configuration);
}
