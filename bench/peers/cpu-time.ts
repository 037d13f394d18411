import { readFileSync } from 'node:fs';
import { descendants } from '../../test/support/leaks.ts';

/** Of /proc; 100 on every Linux. */
const TICKS_PER_SECOND = 100;

/** CPU time of a process and all its children that still run, in seconds. */
export function cpuSeconds(root: number): number {
  const pids = [root, ...descendants(root).map(({ pid }) => pid)];
  return pids.reduce((sum, pid) => sum + cpuTicks(pid), 0) / TICKS_PER_SECOND;
}

function cpuTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name: field 3 of proc(5) and on; utime is field 14, stime 15.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
