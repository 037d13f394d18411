import { readFileSync } from 'node:fs';
import type { Headers, InferenceResponse } from '../../tensor/inference.ts';

/** Where Kubernetes says in which namespace a pod is. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** The CloudEvents headers that MLServer puts on every answer (its sheet, §11); names in lower case. */
export class CloudEvents {
  readonly #fixed: Headers;

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
    const ids = id === '' ? undefined : { 'ce-id': id, 'ce-requestid': id };
    const all: Record<string, string> = { ...this.#fixed, 'ce-modelid': servable, 'ce-endpoint': servable, ...ids };
    if (headers === undefined) return all;
    for (const name in headers) all[name.toLowerCase()] = headers[name] as string;
    return all;
  }
}

function readNamespace(): string | undefined {
  try {
    return readFileSync(NAMESPACE_FILE, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
