import { readFileSync } from 'node:fs';
import { descendants } from '../test/support/leaks.ts';

/** Of Linux's /proc: clock ticks in a second. */
const TICKS = 100;

/** CPU time of a process and all that it has started and that still runs, in seconds. */
export function cpuSeconds(pid: number): number {
  return family(pid).reduce((sum, each) => sum + cpuTicks(each), 0) / TICKS;
}

/** CPU time of this process's children that have ended and were waited for, in ms. */
export function endedChildrenMs(): number {
  const stat = read('/proc/self/stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // cutime and cstime, fields 16 and 17 of proc(5).
  return ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS;
}

/** The sum of the greatest resident memory of each of them, in MiB. */
export function peakMib(pid: number): number {
  return family(pid).reduce((sum, each) => sum + peakKib(each), 0) / 1024;
}

function family(pid: number): readonly number[] {
  return [pid, ...descendants(pid).map((child) => child.pid)];
}

/** 0 where it has just ended. */
function cpuTicks(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  // The name, in parentheses, may have spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function peakKib(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
