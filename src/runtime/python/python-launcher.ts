import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { duplexPair, type Duplex } from 'node:stream';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { LaunchedHost } from '../../ipc/launcher.ts';
import { findInterpreter } from './python-interpreter.ts';

/** The program; beside `src/` and `dist/` in the package. */
const PROGRAM = fileURLToPath(new URL('../../../python/millrace_host/__main__.py', import.meta.url));

/** What is kept of a line on standard error. */
const MAX_CHARS = 8192;

/** After the process has ended, how long its last words are waited for: a process that it started may hold the pipe. */
const LAST_WORDS_MS = 500;

/**
 * Starts a Python host: in a process group of its own, so that what it started ends with it. The socket pair is inherited
 * as fd 3. Its standard output is JSON lines and goes where the server's does; what comes on standard error is logged.
 * @param interpreter of the model's own environment
 */
export function launchPython(interpreter: string | undefined, env: NodeJS.ProcessEnv, logger: Logger): LaunchedHost {
  let found: string;
  try {
    found = findInterpreter(interpreter, env);
  } catch (error) {
    return notLaunched(messageOf(error));
  }
  const stdio = ['ignore', 'inherit', 'pipe', 'pipe'] as const;
  const child: ChildProcess = spawn(found, ['-u', PROGRAM], { stdio: [...stdio], detached: true, env });
  // Node makes none where the process has no file descriptors left; other failures are told by the event.
  const streams = child.stdio as typeof child.stdio | undefined;
  if (streams === undefined) throw new Error('too many open files');
  const { pid } = child;
  const errors = new ErrorLines(logger.child({ pid }));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.write(text));
  return {
    stream: streams[3] as unknown as Duplex,
    pid,
    kill: () => killGroup(pid),
    ended: howItEnded(child, found, errors),
    neverStarted: pid === undefined,
  };
}

/** A host that could not be started, and why. */
export function notLaunched(reason: string): LaunchedHost {
  const [near] = duplexPair();
  near.destroy();
  return { stream: near, pid: undefined, kill: () => {}, ended: Promise.resolve(reason), neverStarted: true };
}

function howItEnded(child: ChildProcess, interpreter: string, errors: ErrorLines): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`"${interpreter}" did not start: ${error.message}`));
    child.once('exit', (code, signal) => {
      killGroup(child.pid);
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      const tell = (): void => resolve(errors.last === '' || signal === 'SIGKILL' ? how : `${how}: ${errors.last}`);
      const timer = setTimeout(tell, LAST_WORDS_MS);
      const heard = (): void => {
        clearTimeout(timer);
        tell();
      };
      if (child.stderr === null || child.stderr.closed) heard();
      else child.stderr.once('close', heard);
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended, and so has all that it started.
  }
}

/** What a process says on standard error: to the log line by line, the last one kept. */
class ErrorLines {
  readonly #logger: Logger;
  #rest = '';
  #last = '';

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The last line that says something: of a traceback the error itself. */
  get last(): string {
    const rest = this.#rest.trim();
    return rest === '' ? this.#last : rest;
  }

  write(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(-MAX_CHARS);
    const said = lines.filter((line) => line.trim() !== '');
    const last = said.at(-1);
    if (last === undefined) return;
    this.#last = last.trim().slice(0, MAX_CHARS);
    this.#logger.warn({ stream: 'stderr' }, said.join('\n').slice(-MAX_CHARS));
  }
}
