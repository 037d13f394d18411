import type { ResourceNeed } from '../../../ipc/resource-need.ts';
import type { ModelVersion, RepositoryContext } from './model-folder.ts';

/**
 * What a run of each instance holds of the resources that runs share. Instances are alike here, so groups that differ are told of and
 * the first that says something counts. Without `--rate-limit execution_count` nothing is held, as in Triton.
 * @throws Error with Triton's text where the server has less than an instance needs
 */
export function toRateLimiter(
  { config, file }: ModelVersion,
  { resources: limits, warn }: RepositoryContext,
): ResourceNeed | undefined {
  const [limiter, ...others] = config.instance_group.flatMap(({ rate_limiter: each }) => each ?? []);
  if (limiter === undefined) return undefined;
  const place = file.place('instance_group.rate_limiter');
  if (limits === undefined) {
    warn(`${place}: it is not applied, as in Triton without --rate-limit; --rate_limit execution_count has it applied`);
    return undefined;
  }
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(limiter))) {
    warn(`${place}: the groups differ, and all instances are alike: the first one counts`);
  }
  for (const { name, count } of limiter.resources) {
    const limit = limits.get(name);
    if (limit === undefined || limit >= count) continue;
    throw new Error(
      `${place}: Resource count for "${name}" is limited to ${limit} which will prevent scheduling of one or more model instances, the minimum required count is ${count}`,
    );
  }
  return { priority: limiter.priority, resources: limiter.resources.map(({ name, count }) => ({ name, count })) };
}
