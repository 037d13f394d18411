/** A value of protobuf as text has it; `T` is what it is read into. */
export type FieldType<T> = (ScalarType | EnumType | RepeatedType | MapType | MessageType) & { readonly read?: T };

export type ScalarName = 'string' | 'bool' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'float' | 'double';

interface ScalarType {
  readonly kind: 'scalar';
  readonly scalar: ScalarName;
  /** One that is not given is undefined, not the default. */
  readonly isOptional?: boolean;
}

interface EnumType {
  readonly kind: 'enum';
  /** By number. */
  readonly names: readonly string[];
}

interface RepeatedType {
  readonly kind: 'repeated';
  readonly of: FieldType<unknown>;
}

interface MapType {
  readonly kind: 'map';
  readonly key: 'string' | 'uint64';
  readonly of: FieldType<unknown>;
}

export interface MessageType {
  readonly kind: 'message';
  readonly name: string;
  readonly fields: Readonly<Record<string, FieldType<unknown>>>;
  /** Groups of fields of which one may be given. */
  readonly oneofs: readonly (readonly string[])[];
}

/** Fields of messages are undefined where they are not given; all others then have their default. */
type MessageValue<Fields> = { readonly [Name in keyof Fields]: Read<Fields[Name]> };

export type Read<F> = F extends { readonly read?: infer T } ? T : never;

/** What a message is read into, where it is given. */
export type Message<F> = NonNullable<Read<F>>;

const scalar = <T>(name: ScalarName): FieldType<T> => ({ kind: 'scalar', scalar: name });

export const string = scalar<string>('string');
export const bool = scalar<boolean>('bool');
export const int32 = scalar<number>('int32');
export const uint32 = scalar<number>('uint32');
/** Exact up to 2^53; beyond that the text is refused. */
export const int64 = scalar<number>('int64');
export const uint64 = scalar<number>('uint64');
export const float = scalar<number>('float');
export const double = scalar<number>('double');

export const optionalString: FieldType<string | undefined> = { kind: 'scalar', scalar: 'string', isOptional: true };
export const optionalBool: FieldType<boolean | undefined> = { kind: 'scalar', scalar: 'bool', isOptional: true };

/** @param names in the order of their numbers, from 0, which is the default */
export function enumOf<const Names extends readonly string[]>(...names: Names): FieldType<Names[number]> {
  return { kind: 'enum', names };
}

export function repeated<T>(of: FieldType<T>): FieldType<readonly NonNullable<T>[]> {
  return { kind: 'repeated', of };
}

export function mapOf<T>(
  of: FieldType<T>,
  key: MapType['key'] = 'string',
): FieldType<Readonly<Record<string, NonNullable<T>>>> {
  return { kind: 'map', key, of };
}

export function message<const Fields extends Readonly<Record<string, FieldType<unknown>>>>(
  name: string,
  fields: Fields,
  oneofs: readonly (readonly (keyof Fields & string)[])[] = [],
): FieldType<MessageValue<Fields> | undefined> & MessageType {
  return { kind: 'message', name, fields, oneofs };
}
