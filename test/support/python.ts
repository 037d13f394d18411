import { spawn } from 'node:child_process';
import { ROOT } from './paths.ts';

/** As scripts/python-env.sh has them. */
type Environment = 'clients' | 'mlserver' | 'kubernetes' | 'openapi';

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runToEnd(command: string, args: readonly string[], input: string): Promise<Finished> {
  const child = spawn(command, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, stdout, stderr };
}

/** The interpreter of an environment of scripts/python-env.sh, which is made first where it is absent or stale. */
export async function pythonPath(environment: Environment = 'clients'): Promise<string> {
  const { code, stdout, stderr } = await runToEnd('bash', ['scripts/python-env.sh', environment], '');
  if (code !== 0) throw new Error(`scripts/python-env.sh ended with ${code}:\n${stderr}`);
  return stdout.trim();
}

/**
 * Runs a script of this repository with `input` as JSON on its standard input. The last line that it prints must be JSON
 * and is returned; any other exit code than 0 throws with what it wrote to stderr.
 */
export async function runPython(script: string, input: unknown, environment?: Environment): Promise<unknown> {
  const { code, stdout, stderr } = await runToEnd(await pythonPath(environment), [script], JSON.stringify(input));
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${stderr}\n${stdout}`);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  return JSON.parse(last);
}
