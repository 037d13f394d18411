import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as /proc shows it. The start time tells it from a later process with the same id. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly startTicks: number;
}

/** Undefined where there is no such process. */
function processInfo(pid: number): ProcessInfo | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name in parentheses may hold anything; the fields follow the last one. See proc(5), /proc/pid/stat, fields 3–22.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const number = (field: number): number => Number(fields[field - 3]);
  return {
    pid,
    parent: number(4),
    state: fields[0] ?? '',
    startTicks: number(22),
  };
}

/** The children of a process, theirs, and so on; not the process itself. */
export function descendants(root: number): ProcessInfo[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processInfo(Number(name)))
    .filter((info) => info !== undefined);
  const found: ProcessInfo[] = [];
  const parents = new Set([root]);
  // A child may have a lower id than its parent: go on until nothing new is found.
  for (let grew = true; grew;) {
    grew = false;
    for (const info of all) {
      if (!parents.has(info.parent) || parents.has(info.pid)) continue;
      parents.add(info.pid);
      found.push(info);
      grew = true;
    }
  }
  return found;
}

/** Whether that very process still runs. One that ended and waits for its parent to ask counts as gone. */
export function isRunning(process: ProcessInfo): boolean {
  const now = processInfo(process.pid);
  return now !== undefined && now.startTicks === process.startTicks && now.state !== 'Z';
}

/** What a process has open: "socket:[…]", "pipe:[…]", paths. */
function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed since
    }
  });
}

/** Sockets that a process has open. */
export function openSockets(pid: number): number {
  return openFiles(pid).filter((file) => file.startsWith('socket:')).length;
}

/** Descriptors that a process has open; 0 where there is no such process. */
export function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Resident memory now. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? NaN) / 1024;
}
