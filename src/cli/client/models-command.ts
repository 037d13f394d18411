import type { RepositoryIndexResponse__Output } from '../../protocol/wire/generated/inference/RepositoryIndexResponse.ts';
import { formatTable } from '../table.ts';
import { CONNECTION_FLAGS, openGrpc } from './connection.ts';
import type { ClientEnvironment } from './client-commands.ts';
import { helpOf, parseFlags, type Flags } from './flags.ts';

const { protocol: _, ...CONNECTION } = CONNECTION_FLAGS;
const FLAGS = {
  ready: { description: 'Only those that are ready.' },
  json: { description: 'As JSON, with inputs and outputs.' },
  ...CONNECTION,
} as const satisfies Flags;

const HEAD = `Usage: millrace models [options]

Lists the servables of any KServe v2 server that has the repository extension, over gRPC: name, version, state, and the
inputs and outputs of those that are ready.`;

type Model = NonNullable<RepositoryIndexResponse__Output['models']>[number];

export async function modelsCommand(
  args: readonly string[],
  { stdout, variables }: ClientEnvironment,
): Promise<number> {
  const given = parseFlags('models', FLAGS, args);
  if (given === undefined) {
    stdout(helpOf(HEAD, FLAGS));
    return 0;
  }
  if (given.words.length > 0) throw given.usage(`models: "${given.words.join(' ')}" given, only options expected`);
  using client = openGrpc(given, variables);
  const models = await client.repositoryIndex(given.has('ready'));
  const described = await Promise.all(
    models.map(async (model: Model) => {
      const metadata = model.state === 'READY' ? await client.modelMetadata(model.name, model.version) : undefined;
      return { ...model, inputs: metadata?.inputs ?? [], outputs: metadata?.outputs ?? [] };
    }),
  );
  if (given.has('json')) {
    stdout(`${JSON.stringify(described, undefined, 2)}\n`);
    return 0;
  }
  const tensors = (list: readonly { name: string; datatype: string; shape: readonly number[] }[]): string =>
    list.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape.join(',')}]`).join(', ');
  stdout(
    `${formatTable([
      ['NAME', 'VERSION', 'STATE', 'INPUTS', 'OUTPUTS'],
      ...described.map((model) => [
        model.name,
        model.version,
        model.reason === '' ? model.state : `${model.state}: ${model.reason}`,
        tensors(model.inputs),
        tensors(model.outputs),
      ]),
    ])}\n`,
  );
  return 0;
}
