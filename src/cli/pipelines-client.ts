/** A line of the server's list; the numbers are those of docs/pipelines.md. */
export interface PipelineLine {
  readonly id: string;
  readonly name?: string;
  readonly state: string;
  readonly model_id: string;
  readonly report: {
    readonly results: number;
    readonly throughput: number;
    readonly reason?: string;
    readonly next_try_in?: number;
    readonly sources: readonly SourceLine[];
    readonly sinks: readonly {
      readonly type: string;
      readonly target: string;
      readonly delivered: number;
      readonly failed: number;
      readonly dropped: number;
    }[];
  };
}

export interface SourceLine {
  readonly source_id: number;
  readonly reference: string;
  readonly state: string;
  readonly width?: number;
  readonly height?: number;
  readonly captured: number;
  readonly dropped_full: number;
  readonly dropped_stale: number;
  readonly dropped_adaptive: number;
  readonly dropped_muted: number;
  readonly dropped_rate: number;
  readonly inferred: number;
  readonly failed: number;
  readonly reconnects: number;
  readonly last_frame_age: number | null;
  readonly next_retry_in: number | null;
  readonly last_error: string | null;
  readonly latency: { readonly p50: number | null; readonly p99: number | null };
}

/** The server said no, or was not there. */
export class RefusedError extends Error {}

/** `/v1/pipelines` of a server. */
export class PipelinesClient {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor(url: string, token: string | undefined) {
    this.#url = url.replace(/\/+$/, '');
    this.#token = token;
  }

  async list(withEnded: boolean): Promise<readonly PipelineLine[]> {
    const { pipelines } = (await this.#call('GET', '')) as { readonly pipelines: readonly PipelineLine[] };
    const over = ['ended', 'terminated', 'failed'];
    return withEnded ? pipelines : pipelines.filter(({ state }) => !over.includes(state));
  }

  async start(request: object): Promise<{ readonly id: string }> {
    return (await this.#call('POST', '', request)) as { readonly id: string };
  }

  get(id: string): Promise<unknown> {
    return this.#call('GET', `/${encodeURIComponent(id)}`);
  }

  async operate(id: string, operation: 'pause' | 'resume'): Promise<void> {
    await this.#call('POST', `/${encodeURIComponent(id)}/${operation}`);
  }

  async terminate(id: string): Promise<void> {
    await this.#call('DELETE', `/${encodeURIComponent(id)}`);
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const address = `${this.#url}/v1/pipelines${path}`;
    let response: Response;
    try {
      response = await fetch(address, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
        },
      });
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly message?: string } };
      throw new RefusedError(`${address} cannot be reached: ${cause?.message ?? String(error)}`);
    }
    const text = await response.text();
    if (!response.ok) throw new RefusedError(`${response.status}: ${messageIn(text)}`);
    return JSON.parse(text) as unknown;
  }
}

function messageIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    return typeof error === 'string' ? error : text;
  } catch {
    return text;
  }
}
