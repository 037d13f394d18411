import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MillraceError } from '../base/errors.ts';
import type { ModelOverride, Overrides } from './servable-spec.ts';

/** What a load request gives in the place of a model's files (Triton's `config` and `file:` parameters, KServe sheet §3.4). */
export interface LoadOverride {
  /** A `ModelConfig` as protobuf JSON. */
  readonly config: string;
  /** Contents by their path in the model's folder, as `1/model.onnx`. Empty: the model's own files stay. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Files of one load. */
const MAX_FILES = 1000;
/** Models that have an override at once. */
const MAX_OVERRIDES = 256;

/** What is loaded with an override now, its files in temporary folders: the user's repository is never written. */
export class HeldOverrides implements AsyncDisposable {
  readonly #held = new Map<string, ModelOverride>();

  get all(): Overrides {
    return this.#held;
  }

  /**
   * Puts the files of an override where a host can read them.
   * @throws MillraceError INVALID_PARAMETER, LIMIT_REACHED
   */
  async write(name: string, { config, files }: LoadOverride): Promise<ModelOverride> {
    if (this.#held.size >= MAX_OVERRIDES && !this.#held.has(name)) {
      throw new MillraceError(
        'LIMIT_REACHED',
        `${this.#held.size} models are loaded with parameters 'config' or 'file:', at most ${MAX_OVERRIDES}; unload one of them`,
        { details: { scope: 'overrides', limit: MAX_OVERRIDES } },
      );
    }
    if (files.size === 0) return { config, folder: undefined };
    checkName(name);
    checkPaths([...files.keys()]);
    const folder = await mkdtemp(join(tmpdir(), 'millrace-load-'));
    try {
      for (const [path, content] of files) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), content);
      }
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return { config, folder };
  }

  /** @param override undefined: the model is as its own files say */
  set(name: string, override: ModelOverride | undefined): void {
    if (override === undefined) this.#held.delete(name);
    else this.#held.set(name, override);
  }

  /** Removes the files of one that no servable is made of any more. */
  async drop(override: ModelOverride | undefined): Promise<void> {
    if (override?.folder !== undefined) await rm(override.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const override of held) await this.drop(override);
  }
}

/** The model may be new, so its name is nobody's but the client's. */
function checkName(name: string): void {
  if (/^[^\s/\\\0][^/\\\0]{0,254}$/.test(name) && !name.startsWith('.')) return;
  throw new MillraceError(
    'INVALID_PARAMETER',
    `model name ${JSON.stringify(name)} given, one of 1 to 255 characters without "/", "\\" and a "." in front expected`,
    { details: { servable: name } },
  );
}

function checkPaths(paths: readonly string[]): void {
  if (paths.length > MAX_FILES) {
    throw new MillraceError('INVALID_PARAMETER', `${paths.length} parameters 'file:' given, at most ${MAX_FILES}`);
  }
  for (const path of paths) {
    const isInside = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
    const isPlain = path.length <= 1024 && !/[\\\0]/.test(path);
    const above = paths.find((other) => other.startsWith(`${path}/`));
    if (isInside && isPlain && above === undefined) continue;
    const what =
      above === undefined ? 'a path within the model, as 1/model.onnx, expected' : `it is a folder of "${above}"`;
    throw new MillraceError('INVALID_PARAMETER', `load parameter 'file:${path}': ${what}`, {
      details: { parameter: `file:${path}` },
    });
  }
}
