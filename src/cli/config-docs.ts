import { z } from 'zod';
import { environmentName, OPTIONS } from '../config/option.ts';
import {
  GRAPH_ONLY_KEYS,
  graphEntrySchema,
  modelEntrySchema,
  ovmsFileSchema,
  runtimeEntrySchema,
} from '../serving/layouts/ovms-schema.ts';
import { markdownRow as row } from './table.ts';

const HEAD = `# Configuration

<!-- Generated from the schemas by \`npm run docs\`; a test checks that it is current. Do not edit. -->

Without any option \`millrace serve\` serves the graphs that come with it. \`millrace config explain\` shows every value and
where it came from, and the servables of the configuration.

## Options

Each option is a flag (\`--port 9000\` or \`--port=9000\`; \`--rest-port\` and \`--rest_port\` are the same), an environment
variable (\`MILLRACE_PORT=9000\`) or a key of \`server\` in the configuration file. Flags beat the environment, which beats
the file, which beats the default. An unknown flag, variable or key is an error.
`;

const FILE = `## The configuration file

OVMS's \`config.json\`; keys marked * are Millrace's own. Unknown keys are refused. A bad entry is listed as unavailable
with its reason, and the others load; \`--strict\` refuses to start instead. Of entries with the same name the first counts.
\`millrace config explain\` tells the faults of all entries without starting anything. The file and all that it names are
watched (\`file_system_poll_wait_seconds\`): what changed is loaded again.

The server is ready (\`/v2/health/ready\`, ServerReady) when every servable has loaded or has failed to, also when none is
served; whether one is ready says \`/v2/models/NAME/ready\`, and \`POST /v2/repository/index\` says why it is not.

\`\`\`json
{
  "server": { "rest_port": 8080 },
  "model_config_list": [{ "config": { "name": "sensor_gru", "base_path": "models/sensor_gru" } }],
  "mediapipe_config_list": [{ "name": "counter", "base_path": "graphs/counter" }],
  "runtimes": [{ "name": "words", "implementation": "./words.js" }]
}
\`\`\`
`;

/** The text of `docs/config.md`. */
export function configDocs(): string {
  return [
    HEAD,
    ...optionSections(),
    FILE,
    section('Top level', ovmsFileSchema),
    section('A model: `config` in an entry of `model_config_list`', modelEntrySchema, [...GRAPH_ONLY_KEYS]),
    'An entry whose graph file exists is a graph, and takes the keys of one.\n',
    section('A graph: an entry of `mediapipe_config_list`', graphEntrySchema),
    section('A runtime: an entry of `runtimes`', runtimeEntrySchema),
  ].join('\n');
}

function optionSections(): string[] {
  const sections = new Map<string, string[]>();
  for (const option of OPTIONS.values()) {
    const rows = sections.get(option.group) ?? [];
    sections.set(option.group, rows);
    const type =
      option.values?.join(', ') ??
      (option.unit === '' || option.type === 'object' ? option.type : `${option.type}, ${option.unit}`);
    const name = option.isFileless ? `\`--${option.name}\`, \`${environmentName(option.name)}\`` : `\`${option.name}\``;
    rows.push(row([name, type, option.defaultText ?? '', option.description]));
  }
  return [...sections].map(
    ([group, rows]) =>
      `### ${group}\n\n${row(['Option', 'Type', 'Default', 'Meaning'])}\n${row(['-', '-', '-', '-'])}\n${rows.join('\n')}\n`,
  );
}

interface KeySchema {
  readonly description?: string;
  readonly ours?: boolean;
}

function section(title: string, schema: z.ZodObject, without: readonly string[] = []): string {
  const { properties } = z.toJSONSchema(schema, { io: 'input' }) as { properties: Record<string, KeySchema> };
  const rows = Object.entries(properties)
    .filter(([key]) => !without.includes(key))
    .map(([key, { description, ours }]) => row([`\`${key}\`${ours === true ? ' *' : ''}`, description ?? '']));
  return `### ${title}\n\n${row(['Key', 'Meaning'])}\n${row(['-', '-'])}\n${rows.join('\n')}\n`;
}
