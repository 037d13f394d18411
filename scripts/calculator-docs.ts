import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { builtinCalculators } from '../src/calculators/index.ts';
import type { CalculatorDefinition, NodeDefinition, PortDeclaration, PortDeclarations } from '../src/graph/index.ts';
import { OneOfType, PacketType, SameAsType } from '../src/graph/index.ts';

const SOURCES = new URL('../src/calculators/', import.meta.url);

const HEAD = `# Calculators

<!-- Generated from the calculators and their comments by \`npm run docs\`; a test checks that it is current. Do not edit. -->

What a node of a graph may have as its \`calculator\`. Names, ports and options are MediaPipe's and OVMS's where they have
such a calculator. In names … stands for a kind of element: each row lists those there are.

Ports: \`TAG\` type; \`""\` is the empty tag, \`*\` any tag; ? may be left out; [] may have several indexes. Side packets are in
italics. Options are written \`options { [any.Name.ext] { field: value } }\`; a value after = is the default.
`;

/** What a comment in front of a calculator says: text, and an example node that names it. */
interface SourceComment {
  readonly folder: string;
  /** The calculator of the example. */
  readonly name: string;
  readonly text: string;
  readonly example: string;
  /** The comment of a function that makes calculators for several kinds of elements. */
  readonly isFamily: boolean;
}

interface Entry {
  readonly comment: SourceComment;
  readonly definitions: readonly NodeDefinition[];
}

/** The text of `docs/calculators.md`. Throws for a calculator whose comment has no example node. */
export function calculatorDocs(): string {
  const entries = findEntries();
  const sections = [...new Set(entries.map(({ comment }) => comment.folder))].map((folder) => {
    const own = entries.filter(({ comment }) => comment.folder === folder);
    return [`## ${TITLES[folder] ?? folder}\n`, table(own)].join('\n');
  });
  return [HEAD, ...sections].join('\n');
}

const TITLES: Readonly<Record<string, string>> = {
  core: 'Streams, side packets and vectors',
  'core/switch': 'Switching between nodes',
  tensor: 'Tensors',
  model: 'Models',
  script: 'Scripts',
  vision: 'Images',
};

function findEntries(): Entry[] {
  const comments = readComments(SOURCES, '');
  const rest = new Map(builtinCalculators.map((definition) => [definition.name, definition]));
  // Comments of single calculators first, then families, those with the longest fixed beginning first.
  const beginning = ({ name, isFamily }: SourceComment) => (isFamily ? name.search(KIND) : name.length);
  const entries = comments
    .toSorted((a, b) => beginning(b) - beginning(a))
    .map((comment) => {
      const pattern = familyPattern(comment.name);
      const isMeant = ({ name }: NodeDefinition) => (comment.isFamily ? pattern.test(name) : name === comment.name);
      const definitions = [...rest.values()].filter(isMeant);
      for (const { name } of definitions) rest.delete(name);
      return { comment, definitions };
    })
    .filter(({ definitions }) => definitions.length > 0);
  const [left] = rest.keys();
  if (left !== undefined) throw new Error(`no comment in src/calculators has an example node of ${left}`);
  return entries.toSorted((a, b) => rank(a.comment) - rank(b.comment) || (a.comment.name < b.comment.name ? -1 : 1));
}

function rank({ folder }: SourceComment): number {
  return [...Object.keys(TITLES), folder].indexOf(folder);
}

/** The part of an example's name that stands for the kind of element. */
const KIND = /Float|Int/;

/** Names of a family, the kind of element in a group; those of list messages lack `Vector`. */
function familyPattern(example: string): RegExp {
  const pattern = example.replace(KIND, '(\\w+?)').replace(/VectorCalculator$/, '(?:Vector)?Calculator');
  return new RegExp(`^${pattern}$`);
}

function readComments(folder: URL, path: string): SourceComment[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory())
      return readComments(new URL(`${entry.name}/`, folder), path === '' ? entry.name : `${path}/${entry.name}`);
    if (!entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) return [];
    return commentsOf(readFileSync(new URL(entry.name, folder), 'utf8'), path);
  });
}

function commentsOf(source: string, folder: string): SourceComment[] {
  return [...source.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*(?:export )?(const|function)/g)].flatMap(
    ([, body = '', kind]) => {
      const lines = body.split('\n').map((line) => line.replace(/^\s*\* ?/, ''));
      const at = lines.findIndex((line) => line.startsWith('node {'));
      const example = lines.slice(Math.max(at, 0)).join(' ').replaceAll(/\s+/g, ' ').trim();
      const name = /^node \{.*?\bcalculator: "(\w+)"/.exec(example)?.[1];
      if (at === -1 || name === undefined) return [];
      const text = lines.slice(0, at).join(' ').replaceAll(/\s+/g, ' ').trim();
      return [{ folder, name, text, example, isFamily: kind === 'function' }];
    },
  );
}

function table(entries: readonly Entry[]): string {
  const rows = entries.map(({ comment, definitions }) => {
    const shown = definitions.find(({ name }) => name === comment.name) ?? definitions[0];
    if (shown === undefined) throw new Error(`${comment.name} has no definitions. This is a bug`);
    const ports = 'expand' in shown ? ["its nodes'", "its nodes'"] : portCells(shown);
    return row([nameCell(comment, definitions), ...ports, optionCell(shown.options), purpose(comment)]);
  });
  return [
    row(['Calculator', 'In', 'Out', 'Options', 'What it does']),
    row(Array(5).fill('-') as string[]),
    ...rows,
    '',
  ].join('\n');
}

function nameCell({ name, isFamily }: SourceComment, definitions: readonly NodeDefinition[]): string {
  if (!isFamily) return `\`${name}\``;
  const whole = name.replace(KIND, '…');
  const [before = '', after = ''] = whole.split('…');
  const names = definitions.map((definition) => definition.name).toSorted();
  const isOfForm = (candidate: string) => candidate.startsWith(before) && candidate.endsWith(after);
  const kinds = names
    .filter(isOfForm)
    .map((candidate) => candidate.slice(before.length, candidate.length - after.length));
  const others = names.filter((candidate) => !isOfForm(candidate)).map((candidate) => `\`${candidate}\``);
  return [`\`${whole}\`: ${kinds.join(', ')}`, ...others].join('; ');
}

function purpose({ text }: SourceComment): string {
  const own = text.replace(/^Makes a calculator that /, '');
  return own.charAt(0).toUpperCase() + own.slice(1);
}

function portCells({ inputs, outputs, inputSidePackets, outputSidePackets }: CalculatorDefinition): [string, string] {
  const cell = (streams: PortDeclarations, sidePackets: PortDeclarations) =>
    [...portTexts(streams), ...portTexts(sidePackets).map((text) => `_${text}_`)].join(', ');
  return [cell(inputs, inputSidePackets), cell(outputs, outputSidePackets)];
}

function portTexts(ports: PortDeclarations): string[] {
  return Object.entries(ports).map(([tag, port]) => {
    const { type, mark } = declared(port);
    return `${tag === '' ? '`""`' : `\`${tag}\``}${mark} ${typeText(type)}`;
  });
}

function declared(port: PortDeclaration): { readonly type: PacketType; readonly mark: string } {
  if (port instanceof PacketType) return { type: port, mark: '' };
  return { type: port.type, mark: port.kind === 'optional' ? '?' : '[]' };
}

function typeText(type: PacketType): string {
  if (type instanceof SameAsType) return `like \`${type.tag === '' ? '""' : type.tag}\``;
  if (type instanceof OneOfType) return type.alternatives.map(typeText).join(' or ');
  return type.name.replaceAll(/[<>_*&]/g, '\\$&');
}

interface OptionSchema {
  readonly description?: string;
  readonly default?: unknown;
}

function optionCell(schema: z.ZodType): string {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
    readonly properties?: Readonly<Record<string, OptionSchema>>;
  };
  return Object.entries(properties)
    .map(([key, { description, default: value }]) => {
      const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0);
      return `\`${name}${isEmpty ? '' : ` = ${JSON.stringify(value)}`}\`${description === undefined ? '' : `: ${description}`}`;
    })
    .join('<br>');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
