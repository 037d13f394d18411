import { spawn } from 'node:child_process';
import { duplexPair, type Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { soundBinding } from '../base/bound-to-parent.ts';
import { closeMessageStore, closeMessageStores, openMessageStore, type MessageStores } from './message-store.ts';

/** A host that was started: the stream to it, and its end. */
export interface LaunchedHost {
  readonly stream: Duplex;
  /** Memory that it has too. The stream's connection closes it. */
  readonly stores?: MessageStores | undefined;
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

/** Tells a host that it has message stores, and how large each is. */
const STORE_BYTES = 'MILLRACE_HOST_STORE_BYTES';

/**
 * Starts hosts as child processes. The socket pair is inherited as fd 3: no path, no door for others, and its end-of-file
 * reaps a host whose front died; one that is blocked then, in a loop of a user's, is killed where `soundBinding` can do so. So are the message stores, where there are any, as fds 4 (to the host) and 5. Standard output
 * (the log) and standard error are the front's own.
 * @param entry the host's program; a `.ts` one (running from source) is loaded through tsx
 */
export function processLauncher(entry: URL, env: NodeJS.ProcessEnv): Launcher {
  const path = fileURLToPath(entry);
  const loader = path.endsWith('.ts') ? ['--import', 'tsx'] : [];
  // There is a host per core: collecting garbage on other threads would only take from the others.
  const flags = ['--single-threaded-gc', ...loader];
  const [command, args] = soundBinding()(process.execPath, [...flags, path], 'KILL');
  return () => {
    const stores = openStores();
    const inherited = stores === undefined ? [] : [stores.outgoing.fd, stores.incoming.fd];
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...inherited],
      env: { ...env, [STORE_BYTES]: stores === undefined ? undefined : String(stores.outgoing.bytes) },
    });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`it did not start: ${error.message}`));
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    // Node makes none where the process has no file descriptors left; other failures are told by the event.
    const stdio = child.stdio as typeof child.stdio | undefined;
    if (stdio === undefined) {
      closeMessageStores(stores);
      throw new Error('too many open files');
    }
    return {
      stream: stdio[3] as unknown as Duplex,
      stores,
      pid: child.pid,
      kill: () => child.kill('SIGKILL'),
      ended,
    };
  };
}

/** The stores of a host's own process, as its front has opened them. */
export function inheritedStores(env: NodeJS.ProcessEnv): MessageStores | undefined {
  const bytes = Number(env[STORE_BYTES] ?? 0);
  return bytes === 0 ? undefined : { outgoing: { fd: 5, bytes }, incoming: { fd: 4, bytes } };
}

/** Both or none. */
function openStores(): MessageStores | undefined {
  const outgoing = openMessageStore();
  if (outgoing === undefined) return undefined;
  const incoming = openMessageStore();
  if (incoming !== undefined) return { outgoing, incoming };
  closeMessageStore(outgoing);
  return undefined;
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
