/** One fault of a body, as pydantic tells it. */
export interface SchemaFault {
  readonly type: string;
  /** Where: `["body", "inputs", 0, "name"]`. */
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  /** What stands there; of a missing key the object that lacks it. */
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

type Path = readonly (string | number)[];
type Check = (value: unknown, loc: Path) => Iterable<SchemaFault>;

const DATATYPES = 'BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BYTES'.split(' ');
const EXPECTED_DATATYPE = `${DATATYPES.slice(0, -1)
  .map((name) => `'${name}'`)
  .join(', ')} or 'BYTES'`;

/** Larger bodies are not looked at: each of their bytes may become some hundred here. */
const MAX_BODY_BYTES = 4 * 2 ** 20;
/** Later ones are left out: they are most likely the same again. */
const MAX_FAULTS = 100;

/**
 * What is wrong with the form of an inference request, in MLServer's words and order (its sheet, §9), a hundred faults at most;
 * none: nothing, or the body is too long to say.
 */
export function schemaFaults(body: Buffer): SchemaFault[] {
  const root = ['body'];
  if (body.length === 0) return [missingBody()];
  if (body.length > MAX_BODY_BYTES) return [];
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    const { message } = error as SyntaxError;
    const position = /position (\d+)/.exec(message)?.[1];
    const at = position === undefined ? body.length : Number(position);
    return [{ type: 'json_invalid', loc: [...root, at], msg: 'JSON decode error', input: {}, ctx: { error: message } }];
  }
  if (value === null) return [missingBody()];
  const faults: SchemaFault[] = [];
  for (const fault of inferenceRequest(value, root)) if (faults.push(fault) === MAX_FAULTS) break;
  return faults;
}

export function missingBody(): SchemaFault {
  return { type: 'missing', loc: ['body'], msg: 'Field required', input: null };
}

const anything: Check = () => [];

const text: Check = (input, loc) =>
  typeof input === 'string' ? [] : [{ type: 'string_type', loc, msg: 'Input should be a valid string', input }];

const dictionary: Check = (input, loc) =>
  isObject(input) ? [] : [{ type: 'dict_type', loc, msg: 'Input should be a valid dictionary', input }];

const datatype: Check = (input, loc) => {
  if (DATATYPES.includes(input as string)) return [];
  const msg = `Input should be ${EXPECTED_DATATYPE}`;
  return [{ type: 'enum', loc, msg, input, ctx: { expected: EXPECTED_DATATYPE } }];
};

/** Numbers in strings pass, as in pydantic. */
const integer: Check = (input, loc) => {
  const wrong = 'Input should be a valid integer';
  if (typeof input === 'boolean' || Number.isInteger(input)) return [];
  if (typeof input === 'number') {
    return [{ type: 'int_from_float', loc, msg: `${wrong}, got a number with a fractional part`, input }];
  }
  if (typeof input !== 'string') return [{ type: 'int_type', loc, msg: wrong, input }];
  if (/^\s*[-+]?\d+\s*$/.test(input)) return [];
  return [{ type: 'int_parsing', loc, msg: `${wrong}, unable to parse string as an integer`, input }];
};

const nullable =
  (check: Check): Check =>
  (input, loc) =>
    input === null ? [] : check(input, loc);

const listOf = (item: Check): Check =>
  function* (input, loc) {
    if (!Array.isArray(input)) yield { type: 'list_type', loc, msg: 'Input should be a valid list', input };
    else for (const [index, each] of input.entries()) yield* item(each, [...loc, index]);
  };

interface Field {
  readonly check: Check;
  readonly isRequired: boolean;
}

const required = (check: Check): Field => ({ check, isRequired: true });
const optional = (check: Check): Field => ({ check: nullable(check), isRequired: false });

const objectOf = (fields: Readonly<Record<string, Field>>): Check =>
  function* (input, loc) {
    if (!isObject(input)) {
      const msg = 'Input should be a valid dictionary or object to extract fields from';
      yield { type: 'model_attributes_type', loc, msg, input };
      return;
    }
    for (const [name, { check, isRequired }] of Object.entries(fields)) {
      if (Object.hasOwn(input, name)) yield* check(input[name], [...loc, name]);
      else if (isRequired) yield { type: 'missing', loc: [...loc, name], msg: 'Field required', input };
    }
  };

const parameters = objectOf({ content_type: optional(text), headers: optional(dictionary) });

const inferenceRequest = objectOf({
  id: optional(text),
  parameters: optional(parameters),
  inputs: required(
    listOf(
      objectOf({
        name: required(text),
        shape: required(listOf(integer)),
        datatype: required(datatype),
        parameters: optional(parameters),
        data: required(anything),
      }),
    ),
  ),
  outputs: optional(listOf(objectOf({ name: required(text), parameters: optional(parameters) }))),
});

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
