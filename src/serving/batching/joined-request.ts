import { MillraceError } from '../../base/errors.ts';
import { cutTensor, joinTensors, rowsOf } from '../../tensor/batch.ts';
import type { Headers, InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/**
 * What requests must have in common to run as one: names, datatypes and all but the first dimension of their inputs, their
 * parameters, and the outputs asked for. Undefined: it fits no other.
 */
export function batchKey(request: InferenceRequest): string | undefined {
  if (rowsOf(request.inputs) === undefined) return undefined;
  const inputs = request.inputs
    .map(({ name, datatype, shape, parameters }) => [name, datatype, shape.slice(1), plain(parameters)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  if (inputs.some(([name], at) => name === inputs[at + 1]?.[0])) return undefined;
  const outputs = request.outputs.map(({ name, parameters }) => [name, plain(parameters)]);
  return JSON.stringify([inputs, plain(request.parameters), outputs]);
}

/** Several requests of one key as one: its inputs hold the rows of all, in their order. It has no id of its own. */
export function joinRequests(requests: readonly [InferenceRequest, ...InferenceRequest[]]): InferenceRequest {
  const [first, ...others] = requests;
  const inputs = first.inputs.map((input) => {
    const rest = others.map(({ inputs: theirs }) => theirs.find(({ name }) => name === input.name) as Tensor);
    return joinTensors([input, ...rest]);
  });
  const headers = commonHeaders(requests);
  return { ...first, id: '', inputs, headers };
}

/**
 * The answer to joined requests as one answer each, with its own rows and id.
 * @throws MillraceError RUNTIME_FAILED where an output has not a row for each row that came in
 */
export function cutResponse(
  response: InferenceResponse,
  requests: readonly InferenceRequest[],
): readonly InferenceResponse[] {
  const rows = requests.map(({ inputs }) => inputs[0]?.shape[0] as number);
  const total = rows.reduce((sum, count) => sum + count, 0);
  const pieces = response.outputs.map((output) => {
    // Copied: the memory of an answer goes back to where it came from when one of its pieces has been sent.
    if (output.shape[0] === total) return cutTensor(output, rows).map(copied);
    const text = `output '${output.name}' of a batch has shape [${output.shape.join(',')}]: ${total} rows expected, those of its ${requests.length} requests`;
    const details = { servable: response.servable, tensor: output.name, expected: total, requests: requests.length };
    throw new MillraceError('RUNTIME_FAILED', text, { details });
  });
  return requests.map(({ id }, at) => ({
    ...response,
    id,
    outputs: pieces.map((cut) => cut[at] as Tensor),
  }));
}

const copied = (tensor: Tensor): Tensor => ({ ...tensor, data: Uint8Array.from(tensor.data) });

/** Headers are of one request; a batch has those that all of its requests have. */
function commonHeaders(requests: readonly InferenceRequest[]): Headers | undefined {
  const [first, ...others] = requests;
  if (first?.headers === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(first.headers).filter(([name, value]) => others.every(({ headers }) => headers?.[name] === value)),
  );
}

/** In a form that JSON keeps apart: 1n, 1 and "1" are three values. */
function plain(parameters: Parameters | undefined): unknown {
  if (parameters === undefined) return null;
  return Object.keys(parameters)
    .sort()
    .map((name) => {
      const value = parameters[name];
      if (typeof value === 'bigint') return [name, 'int64', String(value)];
      if (typeof value !== 'object') return [name, value];
      return 'text' in value ? [name, 'json', value.text] : [name, 'uint64', String(value.value)];
    });
}
