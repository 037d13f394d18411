import { printData } from '../../protocol/wire/json-response.ts';
import type { GrpcClient } from '../../client/grpc-client.ts';
import type { ClientRequest } from '../../client/request.ts';
import type { RestClient } from '../../client/rest-client.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import { CONNECTION_FLAGS, openGrpc, openRest } from './connection.ts';
import type { ClientEnvironment } from './client-commands.ts';
import { helpOf, parseFlags, type Flags, type Given } from './flags.ts';
import { parametersOf, typedInput } from './inputs.ts';

const FLAGS = {
  input: {
    value: 'name=values',
    isRepeatable: true,
    description: 'JSON, as x=[1,2,3] or x=0.5; text for a BYTES input.',
  },
  output: { value: 'name', isRepeatable: true, description: 'Only these outputs.' },
  parameter: { value: 'name:value:type', isRepeatable: true, description: 'type: bool, int, double or string.' },
  model_version: { short: 'x', value: 'version', description: 'The server’s choice otherwise.' },
  stream: { description: 'Print each response of a stream as it comes.' },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

const HEAD = `Usage: millrace infer MODEL --input NAME=VALUES… [options]

Sends one request to a servable of any KServe v2 server and prints each output as a line of JSON.`;

type InferFlags = Given<typeof FLAGS>;

export async function inferCommand(args: readonly string[], { stdout, variables }: ClientEnvironment): Promise<number> {
  const given = parseFlags('infer', FLAGS, args);
  if (given === undefined) {
    stdout(helpOf(HEAD, FLAGS));
    return 0;
  }
  const [model, ...more] = given.words;
  if (model === undefined || more.length > 0) throw given.usage('infer: one MODEL expected');
  const client =
    given.oneOf('protocol', ['grpc', 'rest']) === 'grpc' ? openGrpc(given, variables) : openRest(given, variables);
  try {
    const request = await requestOf(given, client, model);
    for await (const response of responsesOf(given, client, request)) stdout(printed(response));
    return 0;
  } finally {
    if ('close' in client) client.close();
    else await client[Symbol.asyncDispose]();
  }
}

async function requestOf(given: InferFlags, client: GrpcClient | RestClient, model: string): Promise<ClientRequest> {
  const version = given.text('model_version');
  const { inputs } = await client.modelMetadata(model, version);
  const typed = given.all('input').map((text) => {
    const at = text.indexOf('=');
    const name = text.slice(0, Math.max(at, 0));
    const input = inputs.find((candidate) => candidate.name === name);
    if (input === undefined) {
      const names = inputs.map((each) => `${each.name} (${each.datatype} [${each.shape.join(',')}])`).join(', ');
      throw given.usage(`--input: ${text} given, NAME=VALUES expected; "${model}" takes ${names}`);
    }
    try {
      return typedInput(input, text.slice(at + 1));
    } catch (error) {
      throw given.usage((error as Error).message);
    }
  });
  const parameters = parametersOf(given.all('parameter'), (problem) => given.usage(`--parameter: ${problem}`));
  return { model, version, inputs: typed, outputs: given.all('output'), parameters };
}

async function* responsesOf(
  given: InferFlags,
  client: GrpcClient | RestClient,
  request: ClientRequest,
): AsyncGenerator<InferenceResponse> {
  if (!given.has('stream')) {
    yield await client.infer(request);
  } else if ('stream' in client) {
    using stream = client.stream();
    await stream.send(request);
    stream.halfClose();
    for await (const { response, error } of stream) {
      if (error !== undefined) throw error;
      yield response;
    }
  } else yield* client.generateStream(request);
}

function printed({ outputs }: InferenceResponse): string {
  return outputs
    .map((tensor) => {
      const { name, datatype, shape } = tensor;
      const head = JSON.stringify({ name, datatype, shape }).slice(0, -1);
      return `${head},"data":[${printData(tensor)}]}\n`;
    })
    .join('');
}
