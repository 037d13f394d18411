import type { z } from 'zod';
import { modelSchema, ownSchema, parametersSchema } from '../serving/layouts/mlserver/model-schema.ts';
import { serverSchema } from '../serving/layouts/mlserver/server-schema.ts';
import { MODEL_PREFIX, SERVER_PREFIX } from '../serving/layouts/mlserver/server-settings.ts';
import { markdownRow as row } from './table.ts';

const HEAD = `# MLServer folders

<!-- Generated from the schemas by \`npm run docs\`; a test checks that it is current. Do not edit. -->

\`\`\`sh
millrace start DIR            # in place of: mlserver start DIR
millrace config explain DIR   # every setting, where it came from, the models, and what is wrong with them
\`\`\`

\`DIR/settings.json\` is read if it is there, then every \`model-settings.json\` below \`DIR\` at any depth (hidden folders,
\`node_modules\` and \`__pycache__\` are left out). Without any that can be used, \`MLSERVER_MODEL_IMPLEMENTATION\` and the other
\`MLSERVER_MODEL_*\` variables describe one model. Without \`DIR\` it is the folder that the settings name
(\`model_repository_root\`), else the working folder.

| port | what | set by |
| - | - | - |
| 8080 | REST with MLServer's statuses, bodies and event streams; metrics, too | \`http_port\`, \`--rest_port\` |
| 8081 | gRPC in MLServer's dialect: \`ModelStreamInfer\` answers with plain \`ModelInferResponse\` | \`grpc_port\`, \`--mlserver_port\` |
| 9000 | gRPC in Triton's dialect, for tritonclient; a free port where the settings use 9000 | \`--port\` |
| 8082 | metrics | \`metrics_port\`, \`--metrics_port\` |

**Precedence.** A key in \`settings.json\` beats its \`MLSERVER_*\` variable, which beats the same in the file \`.env\` of the
working folder, which beats the default, as in MLServer. Options of Millrace beat them all: those under \`millrace\` in
\`settings.json\`, then \`MILLRACE_*\` variables, then flags. In a model's file, \`MLSERVER_MODEL_*\` variables stand in for keys
that it lacks, for every model. Lists and objects in variables are JSON. An unknown key or variable is ignored with a warning;
one that cannot be honoured is refused with what to use instead, unless it has its default.

## What is different from MLServer

- All ports listen on 127.0.0.1 unless \`host\` is set; there it is 0.0.0.0 by default.
- What goes over the wire, and where it differs: [mlserver-protocol.md](mlserver-protocol.md).
- Streaming works with \`parallel_workers\`, gzip and metrics; nothing has to be turned off. Each instance of a model is a host
  process of its own, also where \`parallel_workers\` is 0.
- A broken settings file, or a model that does not load, is listed in the repository index as UNAVAILABLE with its reason, and
  the others are served. There the first is skipped, and the second ends the server.
- Two models of one name and version are a fault: neither is served. There the last one wins.
- A change is served within a second or so: a new folder, another \`model-settings.json\`, the sources below its folder (\`*.py\`, or
  JavaScript, TypeScript and JSON), and \`uri\` where it is a file. Streams go on with what they began with.
  \`POST /v2/repository/models/{name}/load\` loads whatever else has changed. \`settings.json\` is read at the start alone.
- What a client unloads stays listed, and stays away over such changes until a client loads it.
- MLServer's own runtimes (\`mlserver_sklearn.SKLearnModel\` and the like) do not come with Millrace. They run where a Python with
  them is named (\`parameters.environment_path\`, \`--python\`); an ONNX file is served as it is (\`"implementation": "./model.onnx"\`).
- There is no Kafka, no export of traces, and no \`logging_settings\`: the log is JSON lines on stdout.
`;

const TYPESCRIPT = `
## A model in TypeScript

\`\`\`json
{ "name": "text-model", "implementation": "./text-model.ts" }
\`\`\`

\`text-model.ts\` beside it has a default export made with \`defineRuntime\` ([examples/text-model](../examples/text-model/README.md)).
A folder that names \`text_model.TextModel\` runs \`text_model.py\` in Python, and the export \`TextModel\` of \`text_model.ts\` once the
Python file is gone.
`;

/** The text of `docs/mlserver.md`. */
export function mlserverDocs(): string {
  return [
    HEAD,
    section('settings.json', serverSchema, SERVER_PREFIX),
    section('model-settings.json', modelSchema, MODEL_PREFIX),
    section('`parameters` of a model', parametersSchema, MODEL_PREFIX),
    ownSection(),
    TYPESCRIPT.trimStart(),
  ].join('\n');
}

function section(title: string, schema: z.ZodObject, prefix: string): string {
  const rows = Object.entries(schema.shape).map(([key, field]) => {
    const { description = '', standard = '', ours } = (field as z.ZodType).meta() ?? {};
    const name = ours === true ? `\`${key}\` *` : `\`${key}\``;
    return row([name, `\`${prefix}${key.toUpperCase()}\``, String(standard), description]);
  });
  return `## ${title}\n\nKeys marked * are Millrace's own.\n\n${row(['Key', 'Variable', 'Default', 'Here'])}\n${row(['-', '-', '-', '-'])}\n${rows.join('\n')}\n`;
}

function ownSection(): string {
  const rows = Object.entries(ownSchema.shape).map(([key, field]) =>
    row([`\`${key}\``, (field as z.ZodType).meta()?.description ?? '']),
  );
  return `## \`millrace\` of a model\n\nMLServer ignores it.\n\n${row(['Key', 'Meaning'])}\n${row(['-', '-'])}\n${rows.join('\n')}\n`;
}
