import { didYouMean } from '../../base/nearest.ts';
import { isVectorTag } from '../packet-types.ts';

/** An entry of a protobuf map, as a graph file writes it: `{ key: "SIGNAL" value: "signal" }`. */
interface TagName {
  readonly key: string;
  readonly value: string;
}

/** One stream of a node, and the model's tensor (or, for a vector of tensors, tensors in order) that it carries. */
export interface Wire {
  /** Position among the node's ports in collection order. */
  readonly port: number;
  /** Packets hold an array of tensors. */
  readonly isVector: boolean;
  readonly tensors: readonly string[];
}

/** Which option messages name the tensors of one side of a node. */
export interface TensorNames {
  /** "input" or "output", for messages. */
  readonly side: 'input' | 'output';
  readonly map: readonly TagName[];
  readonly order: readonly string[];
}

/** What is wrong with a node's options for these tags; needs no model. */
export function namingFault({ side, map, order }: TensorNames, tags: readonly string[]): string | undefined {
  if (map.length > 0 && order.length > 0) {
    return `tag_to_${side}_tensor_names and ${side}_order_list exclude each other`;
  }
  const vector = tags.find(isVectorTag);
  if (vector !== undefined && order.length === 0) {
    return `${side} tag ${vector} carries several tensors: ${side}_order_list must name them in order`;
  }
  const unknown = map.find(({ key }) => !tags.includes(key));
  if (unknown === undefined) return undefined;
  return `tag_to_${side}_tensor_names: there is no ${side} stream with the tag "${unknown.key}"${didYouMean(unknown.key, tags)}`;
}

/** The model's tensor that a stream of this tag carries, where it carries one: by the map, else the tag is its name. */
export function tensorName({ map }: TensorNames, tag: string): string {
  return map.find(({ key }) => key === tag)?.value ?? tag;
}

/**
 * Ties ports to the model's tensors: by the order list for vectors, else as of `tensorName`.
 * @throws Error naming a tensor that the model lacks
 */
export function wire(names: TensorNames, tags: readonly string[], known: readonly string[], model: string): Wire[] {
  return tags.map((tag, port) => {
    const isVector = isVectorTag(tag);
    const tensors = isVector ? names.order : [tensorName(names, tag)];
    for (const tensor of tensors) {
      if (known.includes(tensor)) continue;
      const has = known.map((name) => `"${name}"`).join(', ');
      throw new Error(`model "${model}" has no ${names.side} "${tensor}" (stream tag "${tag}"); it has ${has}`);
    }
    return { port, isVector, tensors };
  });
}
