import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { ROOT } from './paths.ts';
import { ScratchFolder } from './scratch-folder.ts';
import { until } from './until.ts';

/** One series of an answer; its value as Prometheus writes it, e.g. "NaN". */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [at: number, value: string];
}

/** A Prometheus with the shipped configuration, which asks one server each second instead. */
export class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #child: ChildProcess;
  readonly #folder: ScratchFolder;

  private constructor(url: string, child: ChildProcess, folder: ScratchFolder) {
    this.#url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** @param target host and port of the server's REST */
  static async start(target: string): Promise<Prometheus> {
    const folder = await ScratchFolder.create();
    const shipped = await readFile(join(ROOT, 'extras/prometheus/prometheus.yml'), 'utf8');
    const config = shipped
      .replace('millrace:8080', target)
      .replace('scrape_interval: 5s', 'scrape_interval: 1s')
      .replace('evaluation_interval: 15s', 'evaluation_interval: 1s');
    const path = await folder.put('prometheus.yml', config);
    await folder.copy(join(ROOT, 'extras/prometheus/alerts.yml'), 'alerts.yml');
    const port = await freePort();
    const flags = [`--config.file=${path}`, `--storage.tsdb.path=${join(folder.path, 'data')}`];
    const child = spawn('prometheus', [...flags, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const started = new Prometheus(`http://127.0.0.1:${port}`, child, folder);
    try {
      await until(() => started.#isReady(), 'Prometheus is ready');
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** What a query gives now. @throws Error with Prometheus's words where it is wrong */
  async query(expression: string): Promise<readonly Series[]> {
    const { result } = (await this.#get('query', { query: expression })) as { readonly result: readonly Series[] };
    return result;
  }

  /** The values that a label has in the series that match. */
  async labelValues(label: string, match: string): Promise<readonly string[]> {
    return (await this.#get(`label/${label}/values`, { 'match[]': match })) as readonly string[];
  }

  /** The rules that were evaluated, with their fault where they have one. */
  async rules(): Promise<readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]> {
    const { groups } = (await this.#get('rules', {})) as {
      readonly groups: readonly { readonly rules: readonly { readonly name: string; readonly health: string }[] }[];
    };
    return groups.flatMap(({ rules }) => rules);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.pid !== undefined) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    await this.#folder[Symbol.asyncDispose]();
  }

  async #get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { readonly data?: unknown; readonly error?: string };
    if (answer.error !== undefined) throw new Error(`${JSON.stringify(parameters)}: ${answer.error}`);
    return answer.data;
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.#url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}
