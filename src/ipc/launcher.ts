import { spawn } from 'node:child_process';
import { duplexPair, type Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** A host that was started: the stream to it, and its end. */
export interface LaunchedHost {
  readonly stream: Duplex;
  /** Process id; undefined for a host in the front's own process. */
  readonly pid: number | undefined;
  /** Ends it without mercy. Does nothing to a host in the front's own process. */
  kill(): void;
  /** How it ended, e.g. "exit code 1" or "signal SIGKILL". */
  readonly ended: Promise<string>;
  /** There is no process: its program is not there, or cannot be run; `ended` says why. */
  readonly neverStarted?: boolean;
}

export type Launcher = () => LaunchedHost;

/**
 * Starts hosts as child processes. The socket pair is inherited as fd 3: no path, no door for others, and its end-of-file
 * reaps a host whose front died. Standard output (the log) and standard error are the front's own.
 * @param entry the host's program; a `.ts` one (running from source) is loaded through tsx
 */
export function processLauncher(entry: URL, env: NodeJS.ProcessEnv): Launcher {
  const path = fileURLToPath(entry);
  const loader = path.endsWith('.ts') ? ['--import', 'tsx'] : [];
  // There is a host per core: collecting garbage on other threads would only take from the others.
  const flags = ['--single-threaded-gc', ...loader];
  return () => {
    const child = spawn(process.execPath, [...flags, path], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'], env });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`it did not start: ${error.message}`));
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    // Node makes none where the process has no file descriptors left; other failures are told by the event.
    const stdio = child.stdio as typeof child.stdio | undefined;
    if (stdio === undefined) throw new Error('too many open files');
    return {
      stream: stdio[3] as unknown as Duplex,
      pid: child.pid,
      kill: () => child.kill('SIGKILL'),
      ended,
    };
  };
}

/** Runs a host in this process, over the same protocol: for debugging, embedding and tests. */
export function localLauncher(serve: (stream: Duplex) => void): Launcher {
  return () => {
    const [near, far] = duplexPair({ highWaterMark: 256 * 1024 });
    serve(far);
    const ended = new Promise<string>((resolve) => far.once('close', () => resolve('closed')));
    return { stream: near, pid: undefined, kill: () => near.destroy(), ended };
  };
}
