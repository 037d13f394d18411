/**
 * What the packets of a port carry: a name for messages and a check of values. Subclassed outside the engine (tensor types
 * carry a TensorSpec). `T` is the TypeScript type that calculators see.
 */
export class PacketType<T = unknown> {
  /** Type level only. */
  declare readonly valueType: T;
  readonly name: string;
  readonly #accepts: (value: unknown) => boolean;

  constructor(name: string, accepts: (value: unknown) => boolean) {
    this.name = name;
    this.#accepts = accepts;
  }

  accepts(value: unknown): boolean {
    return this.#accepts(value);
  }

  /** Whether a producer of this type may feed a consumer of type `consumer`: the same name, or either side is open to it. */
  compatibleWith(consumer: PacketType): boolean {
    if (this === consumer || this === anyPacket || consumer === anyPacket) return true;
    if (consumer instanceof OneOfType) return consumer.alternatives.some((type) => this.compatibleWith(type));
    return this.name === consumer.name;
  }
}

/** Several types; a stream between it and an exact type has the exact type. */
export class OneOfType<T = unknown> extends PacketType<T> {
  readonly alternatives: readonly PacketType[];

  constructor(alternatives: readonly PacketType[]) {
    super(alternatives.map((type) => type.name).join(' or '), (value) =>
      alternatives.some((type) => type.accepts(value)),
    );
    this.alternatives = alternatives;
  }

  override compatibleWith(consumer: PacketType): boolean {
    return this === consumer || this.alternatives.some((type) => type.compatibleWith(consumer));
  }
}

/** "The type of the input of this tag and index": as an output's declaration. Without `index`, the output's own index. */
export class SameAsType extends PacketType {
  readonly tag: string;
  readonly index: number | undefined;

  constructor(tag: string, index: number | undefined) {
    super(`same as input "${tag}"`, () => true);
    this.tag = tag;
    this.index = index;
  }
}

/** Any value; takes the type of the other side of the stream. */
export const anyPacket: PacketType = new PacketType('any', () => true);

export function oneOf<const T extends readonly PacketType[]>(...alternatives: T): PacketType<T[number]['valueType']> {
  return new OneOfType(alternatives);
}

export function sameAs(inputTag: string, index?: number): PacketType {
  return new SameAsType(inputTag, index);
}
