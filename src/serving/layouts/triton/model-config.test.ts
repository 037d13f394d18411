import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../../../test/support/paths.ts';
import type { FieldType } from './message-type.ts';
import { modelConfig, type ModelConfig } from './model-config.ts';
import { readText } from './read-message.ts';

/** As protobuf's descriptors have it. */
interface FieldDescriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

interface MessageDescriptor {
  readonly name: string;
  readonly field: readonly FieldDescriptor[];
  readonly nestedType: readonly MessageDescriptor[];
  readonly enumType: readonly {
    readonly name: string;
    readonly value: readonly { readonly name: string; readonly number: number }[];
  }[];
}

const SCALARS: Readonly<Record<string, string>> = {
  string: 'TYPE_STRING',
  bool: 'TYPE_BOOL',
  int32: 'TYPE_INT32',
  uint32: 'TYPE_UINT32',
  int64: 'TYPE_INT64',
  uint64: 'TYPE_UINT64',
  float: 'TYPE_FLOAT',
  double: 'TYPE_DOUBLE',
};

describe('the table of fields', () => {
  const definition = loadSync(join(ROOT, 'protos/model_config.proto'), { keepCase: true });

  /** By their full names, without the package. */
  const messages = new Map<string, MessageDescriptor>();
  const enums = new Map<string, readonly string[]>();
  const addEnum = ({ name, value }: MessageDescriptor['enumType'][number], scope: string): unknown =>
    enums.set(
      `${scope}${name}`,
      value.toSorted((a, b) => a.number - b.number).map((each) => each.name),
    );
  const add = (message: MessageDescriptor, scope: string): void => {
    messages.set(`${scope}${message.name}`, message);
    for (const each of message.nestedType) add(each, `${scope}${message.name}.`);
    for (const each of message.enumType) addEnum(each, `${scope}${message.name}.`);
  };
  for (const [name, { format, type }] of Object.entries(definition)) {
    if (name.split('.').length !== 2) continue; // within another
    if (format === 'Protocol Buffer 3 DescriptorProto') add(type as unknown as MessageDescriptor, '');
    else addEnum(type as unknown as MessageDescriptor['enumType'][number], '');
  }

  /** As protobuf finds a name: in the innermost message that has one of it. */
  function resolve(typeName: string, scope: string): string {
    const name = typeName.replace(/^\.?(inference\.)?/, '');
    const parts = scope.split('.');
    for (let depth = parts.length; depth > 0; depth--) {
      const full = [...parts.slice(0, depth), name].join('.');
      if (messages.has(full) || enums.has(full)) return full;
    }
    return name;
  }

  function differences(type: FieldType<unknown>, field: FieldDescriptor, scope: string, at: string): string[] {
    const isList = field.label === 'LABEL_REPEATED';
    if (type.kind === 'repeated') {
      return isList ? differences(type.of, { ...field, label: '' }, scope, at) : [`${at} is no list`];
    }
    const name = resolve(field.typeName, scope);
    if (type.kind === 'map') {
      const value = messages.get(name)?.field.find((each) => each.name === 'value');
      return value === undefined ? [`${at} is no map`] : differences(type.of, value, name, at);
    }
    if (isList) return [`${at} is a list`];
    if (type.kind === 'scalar') return field.type === SCALARS[type.scalar] ? [] : [`${at} is ${field.type}`];
    if (type.kind === 'message') return messageDifferences(type, name, at);
    return enums.get(name)?.join() === type.names.join() ? [] : [`${at} has other values`];
  }

  function messageDifferences(
    type: Extract<FieldType<unknown>, { kind: 'message' }>,
    name: string,
    at: string,
  ): string[] {
    const message = messages.get(name);
    if (message === undefined) return [`${at} is no message`];
    const ours = Object.keys(type.fields).sort();
    const theirs = message.field.map((field) => field.name).sort();
    if (ours.join() !== theirs.join()) return [`${at} has ${theirs.join()}, not ${ours.join()}`];
    return message.field.flatMap((field) =>
      differences(type.fields[field.name] as FieldType<unknown>, field, name, `${at}.${field.name}`),
    );
  }

  test('is what protos/model_config.proto says', () => {
    expect(messageDifferences(modelConfig, 'ModelConfig', 'ModelConfig')).toEqual([]);
  });
});

describe('text', () => {
  const read = (text: string): ModelConfig => readText(modelConfig, text, 'm/config.pbtxt').value;

  test('fields, lists, maps and messages come as they are; what is left out has its default', () => {
    const config = read(`
      max_batch_size: 0x10  # sixteen
      input [ { name: "A" data_type: TYPE_FP32 dims: [ -1, 4 ] }, { name: 'B' data_type: 11 dims: 3 dims: 5 optional: true } ]
      parameters { key: "k" value: { string_value: "v" } }
      metric_tags [ { key: "a" value: "1" }, { key: "b" value: "2" } ]
      version_policy: { specific { versions: [1, 3] } }
      model_warmup < name: "w" inputs { key: "A" value { zero_data: false } } >
    `);
    expect(config).toMatchObject({
      max_batch_size: 16,
      input: [
        { name: 'A', data_type: 'TYPE_FP32', dims: [-1, 4], optional: false, reshape: undefined },
        { name: 'B', data_type: 'TYPE_FP32', dims: [3, 5], optional: true },
      ],
      output: [],
      parameters: { k: { string_value: 'v' } },
      metric_tags: { a: '1', b: '2' },
      version_policy: { latest: undefined, all: undefined, specific: { versions: [1, 3] } },
      dynamic_batching: undefined,
      backend: '',
    });
    expect(config.model_warmup[0]?.inputs['A']).toMatchObject({ zero_data: false, random_data: undefined });
  });

  test.each([
    [
      'max_batch_sise: 8',
      'm/config.pbtxt:1: ModelConfig has no field "max_batch_sise"; did you mean "max_batch_size"?',
    ],
    [
      '\ninput { data_type: TYPE_FP3 }',
      'm/config.pbtxt:2: input.data_type: TYPE_FP3 given, another value expected; did you mean "TYPE_FP32"?',
    ],
    ['max_batch_size: "8"', 'm/config.pbtxt:1: max_batch_size: "8" given, a whole number of 32 bits expected'],
    [
      'max_batch_size: 3000000000',
      'm/config.pbtxt:1: max_batch_size: 3000000000 given, a whole number of 32 bits expected',
    ],
    ['max_batch_size: 1 max_batch_size: 2', 'm/config.pbtxt:1: max_batch_size: given twice; remove one of the two'],
    ['max_batch_size: [1, 2]', 'm/config.pbtxt:1: max_batch_size: a list given, one value expected'],
    ['backend: onnxruntime', 'm/config.pbtxt:1: backend: onnxruntime given, a text in quotes expected'],
    ['input: "A"', 'm/config.pbtxt:1: input: "A" given, a message { … } expected'],
    ['parameters: "A"', 'm/config.pbtxt:1: parameters: "A" given, { key: … value: … } expected'],
    ['response_cache { enable: yes }', 'm/config.pbtxt:1: response_cache.enable: yes given, true or false expected'],
    [
      'dynamic_batching {}\nsequence_batching {}',
      'm/config.pbtxt:2: ModelConfig: dynamic_batching and sequence_batching given, one of dynamic_batching, sequence_batching, ensemble_scheduling expected',
    ],
    ['input { name: "A', 'm/config.pbtxt:1: the string that begins with "A is not closed in its line'],
  ])('%s is refused with its place', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  test('all faults are told at once', () => {
    expect(() => read('a: 1\nb: 2')).toThrow(/:1: .*"a".*; m\/config\.pbtxt:2: .*"b"/);
  });
});
