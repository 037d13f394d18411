import { spawn, type ChildProcess } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { boundToParent } from '../../base/bound-to-parent.ts';
import { hideCredentials, hideInAddress } from './redact.ts';
import { withoutOrigin } from './origin.ts';
import { readPipe, type PipeTarget } from './pipe-reader.ts';
import { findProgram, type Program } from './program.ts';

export interface MediaProcessOptions {
  readonly program: Program;
  readonly args: readonly string[];
  /** Ours to write; it ends when we do. Default: none. */
  readonly hasInput?: boolean;
  /** All that it reads from its input, in place of `hasInput`. */
  readonly script?: string;
  /**
   * What the child gets when this process dies: KILL (the default), or one TERM or several (from Linux: each thread that dies before
   * the last one is a parent), at which ffmpeg leaves what it writes incomplete. `none`: it ends with its input.
   */
  readonly parentDeath?: 'KILL' | 'TERM' | 'none';
  /** More variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes its output; `stdout` is then there to hold it back only. */
  readonly target?: PipeTarget;
}

export interface Exit {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it said, without credentials. */
  readonly stderr: string;
}

const STDERR_CHARACTERS = 4096;
const GRACE_MS = 3_000;

/**
 * One of ffmpeg's programs as a child, in a process group of its own: Ctrl-C in a terminal is for us alone, and we decide
 * in which order things end.
 */
export class MediaProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #stdout: Readable;
  readonly #stdin: Writable;
  #stderr = '';
  #complaints = 0;
  /** The first that it said, at least a line of it. */
  #firstSaid = '';
  /** Addresses that say a secret. */
  readonly #secrets: readonly string[];
  #isStopping = false;
  #hasEnded = false;
  /** When it has ended and all its output was read, or dropped by `stop`. Never rejects. */
  readonly exit: Promise<Exit>;

  /** @throws MillraceError FFMPEG_MISSING */
  constructor({ program, args, hasInput = false, script, parentDeath = 'KILL', env, target }: MediaProcessOptions) {
    this.#secrets = secretsOf(args, script);
    // A decoder that waits for a stalled camera would not notice by itself; elsewhere it finds its pipe broken.
    const path = findProgram(program);
    const [command, commandArgs] = parentDeath === 'none' ? [path, args] : boundToParent(path, args, parentDeath);
    this.#child = spawn(command, commandArgs, {
      stdio: [hasInput || script !== undefined ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...env },
    });
    // Where files or processes have run out there are no pipes; it has ended then, and says why.
    const { stdin, stdout = Readable.from([]) } = this.#child as { stdin?: Writable | null; stdout?: Readable };
    this.#stdin = stdin ?? new Writable({ write: (_chunk, _encoding, done) => done() });
    this.#stdout = target === undefined ? stdout : readPipe(stdout, target);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#heard(text));
    this.#stdin.on('error', () => {}); // it ended without reading all; its exit says why
    if (script !== undefined) this.#stdin.end(script);
    this.exit = new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (!this.#stdout.closed) return void this.#stdout.once('close', () => ended(code, signal));
        this.#hasEnded = true;
        resolve({ code, signal, stderr: this.#hidden(this.#stderr.trim()) });
      };
      this.#child.once('close', ended);
      this.#child.once('error', (error) => {
        this.#stderr += error.message;
        this.#stdout.destroy();
        ended(null, null);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get stdout(): Readable {
    return this.#stdout;
  }

  /** Only with `hasInput`. */
  get stdin(): Writable {
    return this.#stdin;
  }

  /** Lines of complaint so far, until it is stopped: ffmpeg tells of damaged data there and nowhere else. */
  get complaints(): number {
    return this.#complaints;
  }

  /** The first of them, without credentials. */
  get firstComplaint(): string | undefined {
    const line = this.#firstSaid.split('\n').find((each) => each.trim() !== '');
    return line === undefined ? undefined : withoutOrigin(this.#hidden(line.trim()));
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  /** SIGTERM, SIGKILL when it has not ended by then; what it still writes is dropped. Idempotent. */
  async stop(graceMs = GRACE_MS): Promise<Exit> {
    this.#isStopping = true;
    this.#stdout.destroy();
    this.#stdin.destroy();
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.kill(), graceMs);
    try {
      return await this.exit;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(signal);
  }

  #hidden(text: string): string {
    const said = this.#secrets.reduce((hidden, each) => hidden.replaceAll(each, hideInAddress(each)), text);
    return hideCredentials(said);
  }

  #heard(text: string): void {
    if (!this.#isStopping) this.#complaints += text.split('\n').length - 1;
    if (!this.#isStopping && this.#firstSaid.length < STDERR_CHARACTERS) this.#firstSaid += text;
    this.#stderr += text;
    if (this.#stderr.length <= STDERR_CHARACTERS) return;
    const end = this.#stderr.slice(-STDERR_CHARACTERS);
    // From the start of a word: half an address does not show that it has a password.
    this.#stderr = end.slice(end.search(/\s|$/) + 1);
  }
}

/** Addresses with something to hide, which it may quote: only of one that is known can be said where it ends. */
function secretsOf(args: readonly string[], script = ''): string[] {
  const files = [...script.matchAll(/^file '(.*)'$/gm)].map(([, quoted = '']) =>
    quoted.replaceAll(String.raw`'\''`, "'"),
  );
  return [...args, ...files].filter((each) => hideInAddress(each) !== each);
}
