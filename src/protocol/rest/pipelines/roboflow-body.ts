/** One complaint of FastAPI's about a body (pydantic 2), as `detail` has them. */
export interface BodyFault {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
  readonly url?: string;
}

/** The body of a 422. */
export class BodyFaults extends Error {
  readonly faults: readonly BodyFault[];

  constructor(faults: readonly BodyFault[]) {
    super(faults.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join('; '));
    this.faults = faults;
  }
}

type Check = (value: unknown, loc: readonly (string | number)[], faults: BodyFault[]) => unknown;

/** @throws BodyFaults for what is no JSON */
export function parseJsonBody(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const at = Number(/position (\d+)/.exec((error as Error).message)?.[1] ?? 0);
    throw new BodyFaults([
      {
        type: 'json_invalid',
        loc: ['body', at],
        msg: 'JSON decode error',
        input: {},
        ctx: { error: 'Expecting value' },
      },
    ]);
  }
}

export const text: Check = (value, loc, faults) => {
  if (typeof value === 'string') return value;
  return fault(faults, 'string_type', loc, 'Input should be a valid string', value);
};

export const bool: Check = (value, loc, faults) => {
  if (typeof value === 'boolean') return value;
  const [yes, no] = [
    [1, '1', 'true', 'True', 'yes', 'on'],
    [0, '0', 'false', 'False', 'no', 'off'],
  ];
  if (yes.includes(value as string)) return true;
  if (no.includes(value as string)) return false;
  return fault(faults, 'bool_parsing', loc, 'Input should be a valid boolean, unable to interpret input', value);
};

/** Numeric texts are taken for numbers, as pydantic does. */
export const float: Check = (value, loc, faults) => {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return fault(faults, 'float_type', loc, 'Input should be a valid number', value);
  const number = value.trim() === '' ? NaN : Number(value);
  if (!Number.isNaN(number)) return number;
  return fault(
    faults,
    'float_parsing',
    loc,
    'Input should be a valid number, unable to parse string as a number',
    value,
  );
};

export const int: Check = (value, loc, faults) => {
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return value;
    const msg = 'Input should be a valid integer, got a number with a fractional part';
    return fault(faults, 'int_from_float', loc, msg, value);
  }
  if (typeof value !== 'string') return fault(faults, 'int_type', loc, 'Input should be a valid integer', value);
  if (/^\s*[+-]?\d+\s*$/.test(value)) return Number(value);
  return fault(
    faults,
    'int_parsing',
    loc,
    'Input should be a valid integer, unable to parse string as an integer',
    value,
  );
};

export const nullable =
  (check: Check): Check =>
  (value, loc, faults) =>
    value === null ? null : check(value, loc, faults);

/** The first alternative that fits; else the faults of all, each under the alternative's name. */
export const union =
  (alternatives: Readonly<Record<string, Check>>): Check =>
  (value, loc, faults) => {
    const all: BodyFault[] = [];
    for (const [name, check] of Object.entries(alternatives)) {
      const own: BodyFault[] = [];
      const taken = check(value, [...loc, name], own);
      if (own.length === 0) return taken;
      all.push(...own);
    }
    faults.push(...all);
    return undefined;
  };

export const list =
  (check: Check): Check =>
  (value, loc, faults) => {
    if (!Array.isArray(value)) return fault(faults, 'list_type', loc, 'Input should be a valid list', value);
    return value.map((each, index) => check(each, [...loc, index], faults));
  };

export const map =
  (check: Check): Check =>
  (value, loc, faults) => {
    if (!isObject(value)) return fault(faults, 'dict_type', loc, 'Input should be a valid dictionary', value);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, check(each, [...loc, key], faults)]));
  };

/** A device number or a text, as it came. */
export const reference: Check = (value, loc, faults) => {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value))) return value;
  fault(faults, 'string_type', [...loc, 'str'], 'Input should be a valid string', value);
  return fault(faults, 'int_type', [...loc, 'int'], 'Input should be a valid integer', value);
};

export interface Field {
  readonly check: Check;
  readonly isRequired?: boolean;
  readonly fallback?: unknown;
}

/** Unknown fields are ignored; nulls and what is not given are left out. */
export const record =
  (fields: Readonly<Record<string, Field>>): Check =>
  (value, loc, faults) => {
    if (!isObject(value)) {
      const msg = 'Input should be a valid dictionary or object to extract fields from';
      return fault(faults, 'model_attributes_type', loc, msg, value);
    }
    const taken: Record<string, unknown> = {};
    for (const [name, { check, isRequired = false, fallback }] of Object.entries(fields)) {
      const given = value[name];
      if (given === undefined) {
        if (isRequired) fault(faults, 'missing', [...loc, name], 'Field required', value);
        else if (fallback !== undefined) taken[name] = fallback;
        continue;
      }
      const result = check(given, [...loc, name], faults);
      if (result !== null && result !== undefined) taken[name] = result;
    }
    return taken;
  };

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function fault(
  faults: BodyFault[],
  type: string,
  loc: readonly (string | number)[],
  msg: string,
  input: unknown,
): undefined {
  faults.push({ type, loc, msg, input });
  return undefined;
}
