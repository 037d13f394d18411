import { MillraceError } from '../base/errors.ts';
import { knownNames } from '../base/nearest.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';

/** Refuses names that are not among the outputs. */
export function checkRequestedOutputs(request: InferenceRequest, specs: readonly TensorSpec[]): void {
  const names = specs.map((spec) => spec.name);
  for (const { name } of request.outputs) {
    if (names.includes(name)) continue;
    throw new MillraceError(
      'UNEXPECTED_OUTPUT',
      `unexpected inference output '${name}' for model '${request.servable}'${knownNames('output', name, names)}`,
      { details: { servable: request.servable, tensor: name } },
    );
  }
}

/** The outputs that were asked for, in that order; none asked for means all. */
export function selectOutputs(request: InferenceRequest, outputs: readonly Tensor[]): readonly Tensor[] {
  if (request.outputs.length === 0) return outputs;
  return request.outputs.flatMap(({ name }) => outputs.filter((output) => output.name === name));
}
