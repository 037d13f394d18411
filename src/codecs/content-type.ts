import type { Parameters } from '../tensor/parameters.ts';

/**
 * What a model declares of itself, for content types that a request does not say: a `model-settings.json` as it is
 * (`context.model.settings`), or as much of one as matters. Anything in it of another form counts as not said.
 */
export interface CodecMetadata {
  /** `content_type` in it is that of whole requests. */
  readonly parameters?: unknown;
  /** `{ name, parameters: { content_type } }` each. */
  readonly inputs?: unknown;
  readonly outputs?: unknown;
}

/** What may carry `parameters.content_type`: requests, inputs, requested outputs. */
interface Tagged {
  readonly parameters?: Parameters | undefined;
}

/** The content type of a request or tensor: its own, else the declared one (MLServer sheet §2). */
export function contentTypeOf(tagged: Tagged | undefined, declared: unknown): string | undefined {
  return textIn(tagged?.parameters) ?? declaredType(declared);
}

/** That of a declared tensor. @param tensors `inputs` or `outputs` of {@link CodecMetadata} */
export function declaredTensor(tensors: unknown, name: string): unknown {
  if (!Array.isArray(tensors)) return undefined;
  return (tensors as unknown[]).find((tensor) => isObject(tensor) && tensor['name'] === name);
}

function declaredType(declared: unknown): string | undefined {
  return isObject(declared) ? textIn(declared['parameters']) : undefined;
}

/** An empty text counts as none, as in MLServer. */
function textIn(parameters: unknown): string | undefined {
  const value = isObject(parameters) ? parameters['content_type'] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
