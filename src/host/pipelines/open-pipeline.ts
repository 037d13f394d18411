import { MillraceError } from '../../base/errors.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { ModelService } from '../../runtime/model-service.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import { JsonParameter } from '../../tensor/parameters.ts';
import type { PipelineProgram } from '../../pipelines/common/messages.ts';
import { furtherDetections, type WorkflowPlan } from '../../pipelines/common/workflow/plan.ts';
import { ModelServable } from '../model-servable.ts';
import type { HostServable } from '../servable.ts';
import { DetectorInference } from './detector/detector-inference.ts';
import type { FrameInference } from './frame-inference.ts';
import { PipelineSession } from './pipeline-session.ts';
import { SessionInference } from './session-inference.ts';
import { WorkflowInference } from './workflow/workflow-inference.ts';

/** The models of this host, for those that a workflow needs besides; `release` gives them back. */
export type TakeModels = () => { readonly models: ModelService; readonly release: () => void };

/**
 * Starts the pipeline that `first` describes on a servable of this host.
 * @throws MillraceError PIPELINE_INVALID for a servable that pipelines cannot use
 */
export function openPipeline(
  servable: HostServable,
  first: InferenceRequest,
  output: SessionOutput,
  takeModels: TakeModels,
): HostSession {
  const given = first.parameters?.['program'];
  if (!(given instanceof JsonParameter)) throw new MillraceError('INTERNAL', 'a pipeline without its program');
  const program = JSON.parse(given.text) as PipelineProgram;
  const { workflow } = program.pipeline;
  const main = inferenceOf(servable, program);
  const inference = workflow === undefined ? main : workflowOf(workflow, main, program, takeModels);
  return new PipelineSession(program, inference, output);
}

function inferenceOf(servable: HostServable, program: PipelineProgram): FrameInference {
  const { model_id: name, model_configuration: configuration } = program.pipeline;
  if (servable instanceof ModelServable) return new DetectorInference(servable.session, program);
  return new SessionInference(servable, name, program.classNames, configuration);
}

function workflowOf(
  workflow: WorkflowPlan,
  main: FrameInference,
  program: PipelineProgram,
  takeModels: TakeModels,
): FrameInference {
  const { models, release } = takeModels();
  try {
    const further = new Map<string, FrameInference>();
    for (const { name, configuration } of furtherDetections(workflow)) {
      const model = program.models?.[name];
      if (model === undefined) throw new MillraceError('INTERNAL', `no model for step "${name}" of the workflow`);
      const { servable, version, detector, classNames } = model;
      const pipeline = { ...program.pipeline, model_configuration: configuration };
      further.set(
        name,
        new DetectorInference(models.session(servable, version), { ...program, pipeline, detector, classNames }),
      );
    }
    return new WorkflowInference(workflow, { main, further, [Symbol.dispose]: release });
  } catch (error) {
    release();
    throw error;
  }
}
