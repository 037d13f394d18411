import { didYouMean } from '../base/nearest.ts';
import { Faults } from './faults.ts';
import { GraphError, locatedMessage } from './graph-error.ts';
import {
  createGraphConfig,
  type ExecutorConfig,
  type GraphConfig,
  type HandlerConfig,
  type InputStreamInfo,
  type NodeConfig,
  type OptionFields,
  type OptionMessage,
  type OptionValue,
  type StatusHandlerConfig,
} from './graph-config.ts';
import { parseTextFormat, type TextField, type TextMessage, type TextScalar } from './text-format.ts';

type FieldKind =
  | 'string'
  | 'int'
  | 'bool'
  | 'message'
  | 'node'
  | 'generator'
  | 'factory'
  | 'handler'
  | 'statusHandler'
  | 'streamInfo'
  | 'executor'
  | 'extensions'
  | 'any';
type Fields = Readonly<Record<string, { readonly kind: FieldKind; readonly repeated?: true }>>;

const one = (kind: FieldKind) => ({ kind });
const many = (kind: FieldKind) => ({ kind, repeated: true }) as const;

const GRAPH_FIELDS: Fields = {
  input_stream: many('string'),
  output_stream: many('string'),
  input_side_packet: many('string'),
  output_side_packet: many('string'),
  node: many('node'),
  executor: many('executor'),
  num_threads: one('int'),
  max_queue_size: one('int'),
  report_deadlock: one('bool'),
  input_stream_handler: one('handler'),
  output_stream_handler: one('handler'),
  packet_generator: many('generator'),
  packet_factory: many('factory'),
  status_handler: many('statusHandler'),
  profiler_config: one('message'),
  runtime_info: one('message'),
  type: one('string'),
  package: one('string'),
  options: one('extensions'),
  graph_options: many('any'),
};

const NODE_FIELDS: Fields = {
  name: one('string'),
  calculator: one('string'),
  input_stream: many('string'),
  output_stream: many('string'),
  input_side_packet: many('string'),
  output_side_packet: many('string'),
  options: one('extensions'),
  node_options: many('any'),
  input_stream_info: many('streamInfo'),
  input_stream_handler: one('handler'),
  output_stream_handler: one('handler'),
  executor: one('string'),
  max_in_flight: one('int'),
  source_layer: one('int'),
  buffer_size_hint: one('int'),
  option_value: many('string'),
  profiler_config: one('message'),
  external_input: many('string'),
};

const GENERATOR_FIELDS: Fields = {
  packet_generator: one('string'),
  input_side_packet: many('string'),
  external_input: many('string'),
  output_side_packet: many('string'),
  options: one('extensions'),
};
const FACTORY_FIELDS: Fields = {
  packet_factory: one('string'),
  output_side_packet: many('string'),
  external_output: many('string'),
  options: one('extensions'),
};
const STATUS_HANDLER_FIELDS: Fields = {
  status_handler: one('string'),
  input_side_packet: many('string'),
  external_input: many('string'),
  options: one('extensions'),
};
const STREAM_INFO_FIELDS: Fields = { tag_index: one('string'), back_edge: one('bool') };
const INPUT_HANDLER_FIELDS: Fields = { input_stream_handler: one('string'), options: one('extensions') };
const OUTPUT_HANDLER_FIELDS: Fields = { output_stream_handler: one('string'), options: one('extensions') };
const EXECUTOR_FIELDS: Fields = { name: one('string'), type: one('string'), options: one('extensions') };

/**
 * Reads a CalculatorGraphConfig in protobuf text format. Throws a {@link GraphError} whose message begins `file:line: `; one
 * for all fields that are wrong, where the text itself can be read.
 */
export function parseGraphConfig(text: string, file?: string): GraphConfig {
  const faults = new Faults(file);
  const config = new ConfigReader(file, faults).graph(parseTextFormat(text, file));
  faults.throwIfAny();
  return config;
}

/** Turns generic text messages into the config's types; each field is checked against the tables above. */
class ConfigReader {
  readonly #file: string | undefined;
  readonly #faults: Faults;

  constructor(file: string | undefined, faults: Faults) {
    this.#file = file;
    this.#faults = faults;
  }

  graph(message: TextMessage): GraphConfig {
    const { packetGenerator, packetFactory, ...fields } = this.#read(message, GRAPH_FIELDS, 'CalculatorGraphConfig');
    const node = [packetGenerator, packetFactory, fields['node']].flatMap((list = []) => list as Partial<NodeConfig>[]);
    const lines = new Map(message.fields.map((field) => [fieldKey(field), field.line]));
    return createGraphConfig({ ...(fields as Partial<Omit<GraphConfig, 'node'>>), file: this.#file, lines, node });
  }

  #node(message: TextMessage): Partial<NodeConfig> {
    return { ...this.#withSidePackets(message, NODE_FIELDS, 'node'), line: message.line };
  }

  /** A maker of side packets in one of the older forms (`packet_generator`, `packet_factory`): a node without streams. */
  #maker(message: TextMessage, known: Fields, form: string): Partial<NodeConfig> {
    const { [camelCase(form)]: calculator, ...fields } = this.#withSidePackets(message, known, form);
    return { ...fields, calculator: typeof calculator === 'string' ? calculator : '', line: message.line };
  }

  /** The fields of `message`, side packets by their older names (`external_…`) among the others. */
  #withSidePackets(message: TextMessage, known: Fields, where: string): Record<string, unknown> {
    const { externalInput, externalOutput, ...fields } = this.#read(message, known, where);
    const joined = (name: string, more: unknown) => [
      ...((fields[name] ?? []) as string[]),
      ...((more ?? []) as string[]),
    ];
    return {
      ...fields,
      inputSidePacket: joined('inputSidePacket', externalInput),
      outputSidePacket: joined('outputSidePacket', externalOutput),
    };
  }

  /** The fields of `message` by camelCase name. */
  #read(message: TextMessage, known: Fields, where: string): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const field of message.fields) {
      try {
        this.#readField(field, known, where, result);
      } catch (error) {
        if (!(error instanceof GraphError)) throw error;
        this.#faults.addError(error);
      }
    }
    return result;
  }

  #readField(field: TextField, known: Fields, where: string, result: Record<string, unknown>): void {
    const spec = Object.hasOwn(known, field.name) && !field.bracketed ? known[field.name] : undefined;
    if (spec === undefined) {
      throw this.#error(`${where} has no field "${field.name}"${didYouMean(field.name, Object.keys(known))}`, field);
    }
    const key = camelCase(field.name);
    const value = this.#value(field, spec.kind);
    if (spec.repeated) {
      const list = (result[key] ??= []) as unknown[];
      if (Array.isArray(value)) list.push(...(value as unknown[]));
      else list.push(value);
    } else if (field.isListed === true) {
      throw this.#error(`field "${field.name}" is no list, one value without brackets expected`, field);
    } else if (key in result) {
      throw this.#error(`field "${field.name}" is given twice; remove one of the two`, field);
    } else {
      result[key] = value;
    }
  }

  #value(field: TextField, kind: FieldKind): unknown {
    if (kind === 'string' || kind === 'int' || kind === 'bool') return this.#scalar(field, kind);
    const { value } = field;
    if (value.kind !== 'message') throw this.#error(`field "${field.name}" is a message: { … } expected`, field);
    switch (kind) {
      case 'node':
        return this.#node(value);
      case 'generator':
        return this.#maker(value, GENERATOR_FIELDS, field.name);
      case 'factory':
        return this.#maker(value, FACTORY_FIELDS, field.name);
      case 'statusHandler': {
        const { outputSidePacket: _, ...fields } = this.#withSidePackets(value, STATUS_HANDLER_FIELDS, field.name);
        const handler = { statusHandler: '', options: [], inputSidePacket: [] as string[], ...fields };
        return { ...handler, line: value.line } satisfies StatusHandlerConfig;
      }
      case 'message':
        return this.#fields(value);
      case 'extensions':
      case 'any':
        return this.#optionMessages(value);
      case 'handler':
        return this.#handler(value, field.name);
      case 'streamInfo': {
        const info = this.#read(value, STREAM_INFO_FIELDS, field.name);
        return { tagIndex: '', backEdge: false, ...info } satisfies InputStreamInfo;
      }
      case 'executor': {
        const executor = this.#read(value, EXECUTOR_FIELDS, field.name);
        return { name: '', type: '', options: [], ...executor } satisfies ExecutorConfig;
      }
    }
  }

  #handler(message: TextMessage, name: string): HandlerConfig {
    const known = name === 'input_stream_handler' ? INPUT_HANDLER_FIELDS : OUTPUT_HANDLER_FIELDS;
    const fields = this.#read(message, known, name);
    const handler = fields[camelCase(name)];
    return {
      handler: typeof handler === 'string' ? handler : '',
      options: (fields['options'] ?? []) as OptionMessage[],
    };
  }

  #optionMessages(message: TextMessage): OptionMessage[] {
    return message.fields.map((field, at) => {
      const isTwice = message.fields.findIndex(({ name }) => name === field.name) < at;
      if (isTwice) throw this.#error(`"[${field.name}]" is given twice; remove one of the two`, field);
      if (!field.bracketed || field.value.kind !== 'message') {
        throw this.#error(`[type] { … } expected, "${field.name}" found`, field);
      }
      return { type: typeName(field.name), fields: this.#fields(field.value), line: field.line };
    });
  }

  #fields(message: TextMessage): OptionFields {
    const result: Record<string, OptionValue> = {};
    for (const field of message.fields) {
      const value = field.value.kind === 'message' ? this.#fields(field.value) : plainScalar(field.value);
      const name = field.bracketed ? `[${typeName(field.name)}]` : field.name;
      const before = Object.hasOwn(result, name) ? result[name] : undefined;
      if (before === undefined) result[name] = value;
      else if (Array.isArray(before)) (before as OptionValue[]).push(value);
      else result[name] = [before, value];
    }
    return result;
  }

  #scalar(field: TextField, kind: 'string' | 'int' | 'bool'): string | number | boolean {
    const { value } = field;
    if (kind === 'string' && value.kind === 'string') return value.text;
    if (kind === 'int' && value.kind === 'number' && /^-?(0[xX][0-9a-fA-F]+|\d+)$/.test(value.text)) {
      const number = Number(plainScalar(value));
      if (Number.isInteger(number) && Math.abs(number) <= 2 ** 31) return number;
    }
    if (kind === 'bool' && (value.kind === 'identifier' || value.kind === 'number')) {
      if (/^(true|True|t|1)$/.test(value.text)) return true;
      if (/^(false|False|f|0)$/.test(value.text)) return false;
    }
    const expected = { string: 'a string', int: 'a whole number', bool: 'true or false' }[kind];
    throw this.#error(`field "${field.name}": ${expected} expected`, field);
  }

  #error(message: string, { line }: { readonly line: number }): GraphError {
    return new GraphError('INVALID_ARGUMENT', locatedMessage(message, this.#file, line), { file: this.#file, line });
  }
}

function fieldKey({ name, value }: TextField): string {
  return value.kind === 'string' ? `${name} ${value.text}` : name;
}

export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `mediapipe.FooOptions` of `mediapipe.FooOptions.ext` or `type.googleapis.com/mediapipe.FooOptions`. */
function typeName(bracketed: string): string {
  return bracketed.slice(bracketed.lastIndexOf('/') + 1).replace(/\.[a-z_][a-z0-9_]*$/, '');
}

/** `true` and `false` as booleans, numbers as numbers (bigint beyond 2^53), anything else as its text. */
function plainScalar({ kind, text }: TextScalar): OptionValue {
  if (kind === 'identifier') return text === 'true' ? true : text === 'false' ? false : text;
  if (kind === 'string') return text;
  const negative = text.startsWith('-');
  const digits = negative ? text.slice(1) : text;
  if (/^(0[xX][0-9a-fA-F]+|\d+)$/.test(digits)) {
    const octal = /^0[0-7]+$/.test(digits);
    const magnitude = BigInt(octal ? `0o${digits.slice(1)}` : digits);
    const whole = negative ? -magnitude : magnitude;
    return whole >= Number.MIN_SAFE_INTEGER && whole <= Number.MAX_SAFE_INTEGER ? Number(whole) : whole;
  }
  if (/^inf/i.test(digits)) return negative ? -Infinity : Infinity;
  if (/^nan/i.test(digits)) return NaN;
  return Number(text.replace(/[fF]$/, ''));
}
