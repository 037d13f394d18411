import { readFileSync } from 'node:fs';
import { descendants } from '../test/support/leaks.ts';

/** Of the kernel's clock: `getconf CLK_TCK` on every Linux that Node runs on. */
const TICKS_PER_S = 100;

/** CPU time in seconds of processes and all that came from them, those that have ended and were waited for included. */
export function cpuSeconds(roots: readonly number[]): number {
  return sumOver(roots, (pid) => {
    const stat = read(pid, 'stat');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
    return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0) / TICKS_PER_S;
  });
}

/** The programs of ffmpeg that came from processes. */
export function decodersOf(roots: readonly number[]): number[] {
  const pids = roots.flatMap((root) => descendants(root).map(({ pid }) => pid));
  return pids.filter((pid) => read(pid, 'comm').trim() === 'ffmpeg');
}

/** Proportional set size in MiB: memory that several share counts once. */
export function memoryMiB(roots: readonly number[]): number {
  return sumOver(roots, (pid) => Number(/^Pss:\s*(\d+)/m.exec(read(pid, 'smaps_rollup'))?.[1] ?? 0) / 1024);
}

function sumOver(roots: readonly number[], of: (pid: number) => number): number {
  const pids = roots.flatMap((root) => [root, ...descendants(root).map(({ pid }) => pid)]);
  return pids.reduce((sum, pid) => sum + of(pid), 0);
}

/** Empty where the process has ended. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
