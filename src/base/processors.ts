import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Where a container sees its own control group. */
const CGROUPS = '/sys/fs/cgroup';

/**
 * Processors that this process may use: those of the machine (or of its affinity), or fewer where a container's limit says so,
 * rounded up. Node 20 does not look at the limit, so that it counts 64 in a container of two processors on a large machine.
 * @param folder with `cpu.max` (cgroup v2), or `cpu/cpu.cfs_quota_us` and `cpu/cpu.cfs_period_us` (v1)
 */
export function usableProcessors(folder = CGROUPS, available = availableParallelism()): number {
  const [quota, period] = limitV2(folder) ?? limitV1(folder) ?? [];
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return available;
  return Math.min(available, Math.max(1, Math.ceil(quota / period)));
}

/** Microseconds of each period that may be used, and the period; "max" is no limit and no number. */
function limitV2(folder: string): number[] | undefined {
  return read(`${folder}/cpu.max`)?.trim().split(' ').map(Number);
}

function limitV1(folder: string): number[] | undefined {
  const [quota, period] = ['quota', 'period'].map((name) => read(`${folder}/cpu/cpu.cfs_${name}_us`));
  return quota === undefined || period === undefined ? undefined : [Number(quota), Number(period)];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // no limits here: not Linux, or not a container
  }
}
