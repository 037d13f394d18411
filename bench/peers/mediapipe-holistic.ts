import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import { ROOT } from '../../test/support/paths.ts';

const run = promisify(execFile);

/** What one run over the video took: seconds, the time after each frame on a clock of its own, and CPU time. */
export interface MediapipeRun {
  readonly times: readonly number[];
  readonly cpu: number;
}

/** MediaPipe's Python `Holistic` in a process that runs a video again and again. */
export class MediapipeHolistic implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child;
    this.#answers = lines[Symbol.asyncIterator]();
  }

  static async start(video: string): Promise<MediapipeHolistic> {
    const script = join(ROOT, 'bench/peers/mediapipe_holistic.py');
    const child = spawn(await interpreter(), [script, video], { stdio: ['pipe', 'pipe', 'ignore'] });
    return new MediapipeHolistic(child, createInterface({ input: child.stdout }));
  }

  /** @throws Error when the process has ended */
  async run(what: 'process' | 'draw'): Promise<MediapipeRun> {
    this.#child.stdin?.write(`${what}\n`);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error(`MediaPipe's process ended with ${this.#child.exitCode ?? 'no code'}`);
    return JSON.parse(answer.value) as MediapipeRun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'close');
    this.#child.stdin?.end();
    await ended;
  }
}

/** A Python that has MediaPipe; installs it on the first run. */
async function interpreter(): Promise<string> {
  const { MEDIAPIPE_PYTHON, PEERS_HOME, XDG_CACHE_HOME } = process.env;
  if (MEDIAPIPE_PYTHON !== undefined) return MEDIAPIPE_PYTHON;
  const home = PEERS_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'millrace-peers');
  const venv = join(home, 'mediapipe/venv');
  const python = join(venv, 'bin/python');
  try {
    await access(join(venv, 'installed'));
  } catch {
    await run('python3', ['-m', 'venv', venv]);
    await run(python, ['-m', 'pip', 'install', '--quiet', 'mediapipe==0.10.14']);
    await run('touch', [join(venv, 'installed')]);
  }
  return python;
}
