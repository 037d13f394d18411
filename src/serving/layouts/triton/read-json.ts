import { messageOf } from '../../../base/errors.ts';
import type { TextField, TextMessage, TextValue } from '../../../graph/text-format.ts';
import type { FieldType, Message } from './message-type.ts';
import { readFields, type ReadText } from './read-message.ts';

type AnyMessage = Extract<FieldType<unknown>, { readonly kind: 'message' }>;

/**
 * Reads protobuf JSON as a message of `type`: names as in the `.proto` or in lowerCamelCase, numbers also as texts.
 * @param where as messages should name it
 * @throws Error with every field that cannot be taken, as `where: path: …`
 */
export function readJson<F extends FieldType<unknown> & AnyMessage>(
  type: F,
  text: string,
  where: string,
): ReadText<Message<F>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${where}: JSON expected: ${messageOf(error)}`, { cause: error });
  }
  if (!isObject(json)) throw new Error(`${where}: a JSON object expected`);
  return readFields(type, toMessage(type, json), where);
}

/** There are no lines in what is mostly one. */
const LINE = 0;

function toMessage(type: AnyMessage, json: Readonly<Record<string, unknown>>): TextMessage {
  const fields = Object.entries(json).flatMap(([key, value]) => {
    const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const name = Object.hasOwn(type.fields, key) || !Object.hasOwn(type.fields, snake) ? key : snake;
    // As protobuf has it: null is a field that is not given.
    return value === null ? [] : toFields(name, type.fields[name], value);
  });
  return { kind: 'message', fields, line: LINE };
}

function toFields(name: string, type: FieldType<unknown> | undefined, json: unknown): TextField[] {
  const field = (value: TextValue, isListed = false): TextField => ({
    name,
    bracketed: false,
    isListed,
    value,
    line: LINE,
  });
  if (type === undefined) return [field(identifier(JSON.stringify(json)))];
  if (type.kind === 'map' && isObject(json)) {
    return Object.entries(json).map(([key, value]) => {
      const pair = [
        { ...field(textOf(key, type.key === 'string')), name: 'key' },
        { ...field(toValue(type.of, value)), name: 'value' },
      ];
      return field({ kind: 'message', fields: pair, line: LINE });
    });
  }
  const of = type.kind === 'repeated' ? type.of : type;
  if (Array.isArray(json)) return json.map((each) => field(toValue(of, each), true));
  // A list is written as one, also where it has one element.
  return [field(type.kind === 'repeated' ? identifier(JSON.stringify(json)) : toValue(of, json))];
}

function toValue(type: FieldType<unknown> | undefined, json: unknown): TextValue {
  if (isObject(json)) return type?.kind === 'message' ? toMessage(type, json) : identifier('an object');
  if (typeof json === 'number') return { kind: 'number', text: String(json) };
  if (typeof json === 'boolean') return identifier(String(json));
  if (typeof json !== 'string') return identifier(JSON.stringify(json));
  if (type?.kind === 'enum') return identifier(json);
  return textOf(json, type?.kind !== 'scalar' || type.scalar === 'string');
}

/** A text where a number is expected may be one in quotes. */
function textOf(text: string, isText: boolean): TextValue {
  const isNumber = !isText && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text);
  return { kind: isNumber ? 'number' : 'string', text };
}

const identifier = (text: string): TextValue => ({ kind: 'identifier', text });

const isObject = (json: unknown): json is Record<string, unknown> =>
  typeof json === 'object' && json !== null && !Array.isArray(json);
