import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../test/support/paths.ts';

const BINARY = join(ROOT, '../shared/peers/perf_analyzer/perf_analyzer');
const LONGEST_MS = 120_000;

/** Runs perf_analyzer. @returns all of its output; it writes progress and errors to both streams */
export function runBinary(args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(BINARY, args, { timeout: LONGEST_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: `${stdout}\n${stderr}` });
    });
  });
}

/** What it says of a run that did not go well, undefined where it did. It exits with 0 where some requests failed, too. */
export function faultOf({ code, output }: { code: number; output: string }): string | undefined {
  const errors = /^Thread .*error: .*$/m.exec(output)?.[0] ?? /^.*(?:error|failed).*$/im.exec(output)?.[0];
  return code === 0 && errors === undefined ? undefined : (errors ?? `exit code ${code}`);
}

/** The last level of load in the CSV that it wrote, by the titles of the columns; latencies are in microseconds. */
export async function lastRow(csv: string): Promise<Map<string, string>> {
  const lines = (await readFile(csv, 'utf8').catch(() => '')).split('\n').filter((line) => line.includes(','));
  const [titles = [], values = []] = [lines[0]?.split(','), lines.at(-1)?.split(',')];
  return new Map(titles.map((title, i) => [title, values[i] ?? '']));
}
