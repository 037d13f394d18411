import { expect } from 'vitest';
import type { KserveGrpc, RpcOutcome } from '../../support/kserve-grpc.ts';
import type { StreamCase } from './stream-case.ts';

/** A message of proto-loader's, as far as it is looked at. */
interface StreamResponse {
  readonly error_message: string;
  readonly infer_response: {
    readonly model_name: string;
    readonly model_version: string;
    readonly outputs: readonly { readonly name: string }[];
    readonly raw_output_contents: readonly Buffer[];
    readonly parameters: Readonly<Record<string, { readonly int64_param: string }>>;
  } | null;
}

function message({ graph }: StreamCase, request: StreamCase['requests'][number]): object {
  const inputs = Object.entries(request.inputs);
  const timestamp = request.timestamp === undefined ? {} : { OVMS_MP_TIMESTAMP: { int64_param: request.timestamp } };
  const parameters = Object.entries(request.parameters ?? {}).map(([key, value]) => [
    key,
    typeof value === 'string' ? { string_param: value } : { int64_param: value },
  ]);
  return {
    model_name: request.servable ?? graph,
    model_version: request.version ?? '',
    inputs: inputs.map(([name, value]) => ({
      name,
      datatype: 'FP32',
      shape: Array.isArray(value) ? [1, value.length] : [1],
    })),
    raw_input_contents: inputs.map(([, value]) =>
      value === '' ? Buffer.alloc(0) : Buffer.from(new Float32Array([value].flat() as number[]).buffer),
    ),
    parameters: { ...(Object.fromEntries(parameters) as object), ...timestamp },
  };
}

function sorted<T>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function received({ responses }: RpcOutcome) {
  const all = responses as StreamResponse[];
  const errors = all.flatMap(({ error_message: error }) => (error === '' ? [] : [error]));
  const results = all.flatMap(({ error_message: error, infer_response: response }) => {
    if (error !== '' || response === null) return [];
    const values = response.outputs.map(({ name }, at) => {
      const bytes = Uint8Array.from(response.raw_output_contents[at] ?? []);
      const numbers = Array.from(new Float32Array(bytes.buffer), (value) => Math.fround(value));
      return [name, numbers] as const;
    });
    return [{ outputs: Object.fromEntries(values), timestamp: response.parameters['OVMS_MP_TIMESTAMP']?.int64_param }];
  });
  return { errors, results };
}

function expected({ responses }: StreamCase) {
  return {
    errors: responses.flatMap((response) => ('error' in response ? [response.error] : [])),
    results: responses.flatMap((response) => {
      if ('error' in response) return [];
      const values = Object.entries(response.outputs).map(([name, value]) => [name, [value].flat().map(Math.fround)]);
      return [{ outputs: Object.fromEntries(values) as object, timestamp: response.timestamp }];
    }),
  };
}

/** Runs a case with grpc-js and compares all that comes back. */
export async function expectCase(streamCase: StreamCase, client: KserveGrpc): Promise<void> {
  const messages = streamCase.requests.map((request) => message(streamCase, request));
  const outcome = await client.stream('ModelStreamInfer', messages);
  const { errors, results } = received(outcome);
  const wanted = expected(streamCase);
  const order = streamCase.anyOrder ? sorted : <T>(list: readonly T[]) => list;
  expect({ code: outcome.code, errors, results: order(results) }).toEqual({
    code: streamCase.status.code,
    errors: wanted.errors,
    results: order(wanted.results),
  });
  expect(outcome.text).toContain(streamCase.status.text ?? '');
  for (const { error_message: error, infer_response: response } of outcome.responses as StreamResponse[]) {
    if (error === '') expect(response).toMatchObject({ model_name: streamCase.graph, model_version: '1' });
  }
}
