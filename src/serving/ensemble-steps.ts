import type { Deployment } from './deployment.ts';
import type { ServableSpec } from './servable-spec.ts';

/** What an entry of the repository has of that. */
interface Deployed {
  readonly name: string;
  readonly current: Deployment | undefined;
  readonly next: Deployment | undefined;
}

/** Names of what a servable runs, as its description or, of an ensemble that is not loaded, its configuration has them. */
export function modelsOf({ description, spec }: Deployment): readonly string[] {
  return description?.models ?? stepsOf(spec);
}

/** Names of what an ensemble's steps run. */
export function stepsOf(spec: ServableSpec): readonly string[] {
  return spec.kind === 'ensemble' ? spec.models.map(({ name }) => name) : [];
}

/** Whether an ensemble has it as a step. */
export function isStep(name: string, entries: readonly Deployed[]): boolean {
  return entries.some(({ current, next }) =>
    [current, next].some((deployment) => deployment !== undefined && stepsOf(deployment.spec).includes(name)),
  );
}
