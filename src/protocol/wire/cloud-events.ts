import { readFileSync } from 'node:fs';
import type { Headers, InferenceResponse } from '../../tensor/inference.ts';

/** Where Kubernetes says in which namespace a pod is. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** The CloudEvents headers that MLServer puts on every answer (its sheet, §11); names in lower case. */
export class CloudEvents {
  readonly #fixed: Headers;
  /** Those that all answers of a servable have. */
  readonly #ofServables = new Map<string, Headers>();

  /** @param namespace undefined: not in a cluster */
  constructor(serverName: string, namespace: string | undefined = readNamespace()) {
    const source = `io.seldon.serving.deployment.${serverName}`;
    this.#fixed = {
      'ce-specversion': '0.3',
      'ce-source': namespace === undefined ? source : `${source}.${namespace}`,
      'ce-type': 'io.seldon.serving.inference.response',
      'ce-inferenceservicename': serverName,
      ...(namespace !== undefined && { 'ce-namespace': namespace }),
    };
  }

  /** Of an answer: those, and the headers that a runtime gave, which win. */
  headersOf({ servable, id, headers }: InferenceResponse): Record<string, string> {
    const all: Record<string, string> = { ...this.ofServable(servable) };
    if (id !== '') all['ce-id'] = all['ce-requestid'] = id;
    if (headers === undefined) return all;
    for (const name in headers) all[name.toLowerCase()] = headers[name] as string;
    return all;
  }

  /** Those of `headersOf` that are the same for all answers of a servable. */
  ofServable(servable: string): Headers {
    let headers = this.#ofServables.get(servable);
    if (headers === undefined) {
      headers = { ...this.#fixed, 'ce-modelid': servable, 'ce-endpoint': servable };
      this.#ofServables.set(servable, headers);
    }
    return headers;
  }
}

function readNamespace(): string | undefined {
  try {
    return readFileSync(NAMESPACE_FILE, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
