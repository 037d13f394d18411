import type { CalculatorRegistry } from './calculator-registry.ts';
import type { Faults } from './faults.ts';
import {
  optionsOf,
  type GraphConfig,
  type NodeConfig,
  type OptionFields,
  type OptionMessage,
  type OptionValue,
} from './graph-config.ts';
import { isListOption } from './options.ts';

/** Where a field is in nested messages, by the names of a graph file; nothing for the message itself. */
type Path = readonly string[];

/**
 * Carries out `option_value` of the nodes: `"field:options/field"` copies a field of the graph's options, or of the options
 * that the node `user` of a subgraph gives, into the node's own; `"OPTIONS:options"` all of them. What the graph does not have
 * leaves the node's value. Repeated fields are appended to, others replaced.
 */
export function applyGraphOptions(
  config: GraphConfig,
  registry: CalculatorRegistry,
  faults: Faults,
  user?: NodeConfig,
): readonly NodeConfig[] {
  if (config.node.every(({ optionValue }) => optionValue.length === 0)) return config.node;
  const graphOptions = flatten([...config.graphOptions, ...config.options, ...messagesOf(user)]);
  return config.node.map((node) => {
    if (node.optionValue.length === 0) return node;
    const messages = messagesOf(node);
    const type = messages[0]?.type ?? '';
    const schema = registry.get(node.calculator)?.options;
    let fields = flatten(messages);
    for (const text of node.optionValue) {
      const paths = parseOptionValue(text);
      if (paths === undefined) {
        const place = { file: node.file ?? config.file, line: node.line };
        faults.add('INVALID_ARGUMENT', `option_value "${text}" given, "field:options/field" expected`, place);
        continue;
      }
      const value = read(graphOptions, paths.from);
      const isList = (path: Path) => schema !== undefined && isListOption(schema, path);
      if (value !== undefined) fields = merge(fields, paths.to, value, isList, []) as OptionFields;
    }
    return { ...node, options: [{ type, fields, line: messages[0]?.line }], nodeOptions: [], optionValue: [] };
  });
}

function messagesOf(node: NodeConfig | undefined): readonly OptionMessage[] {
  return node === undefined ? [] : optionsOf(node);
}

/** All fields; of several messages later ones win. */
function flatten(messages: readonly OptionMessage[]): OptionFields {
  return Object.assign({}, ...messages.map(({ fields }) => fields)) as OptionFields;
}

function parseOptionValue(text: string): { readonly to: Path; readonly from: Path } | undefined {
  const [to, from, ...rest] = text.split(':');
  if (to === undefined || from === undefined || rest.length > 0) return undefined;
  return { to: parsePath(to), from: parsePath(from) };
}

/** `options` and `OPTIONS` are the message itself; a number is a place in a repeated field. */
function parsePath(text: string): Path {
  return text
    .trim()
    .replace(/^(options|OPTIONS)(\/|$)/, '')
    .split('/')
    .filter((part) => part !== '');
}

function read(value: OptionValue | undefined, path: Path): OptionValue | undefined {
  const [part, ...rest] = path;
  if (part === undefined || value === undefined) return value;
  if (isList(value)) return read(value[Number(part)], rest);
  // A repeated field that the file gives once is no list.
  if (/^\d+$/.test(part)) return part === '0' ? read(value, rest) : undefined;
  return isFields(value) && Object.hasOwn(value, part) ? read(value[part], rest) : undefined;
}

/** `target` with `value` at `path`; `at` is where `target` itself is. */
function merge(
  target: OptionValue | undefined,
  path: Path,
  value: OptionValue,
  isListAt: (path: Path) => boolean,
  at: Path,
): OptionValue {
  const [part, ...rest] = path;
  if (part !== undefined) {
    const fields = isFields(target) ? target : {};
    return { ...fields, [part]: merge(fields[part], rest, value, isListAt, [...at, part]) };
  }
  if (target !== undefined && at.length > 0 && (isList(target) || isListAt(at))) {
    return [...(isList(target) ? target : [target]), ...(isList(value) ? value : [value])];
  }
  if (!isFields(target) || !isFields(value)) return value;
  const merged = Object.entries(value).map(([name, inner]) => [
    name,
    merge(target[name], [], inner, isListAt, [...at, name]),
  ]);
  return { ...target, ...(Object.fromEntries(merged) as OptionFields) };
}

function isList(value: OptionValue | undefined): value is readonly OptionValue[] {
  return Array.isArray(value);
}

function isFields(value: OptionValue | undefined): value is OptionFields {
  return typeof value === 'object' && !isList(value);
}
