import type { Client } from '@grpc/grpc-js';
import { putBefore } from '../base/headroom.ts';
import { encodeInferRequest, joinParts } from '../protocol/wire/infer-codec.ts';
import { toInferenceRequest, type ClientRequest } from './request.ts';

/** gRPC's own head of a message: a flag for compression, and the length. */
const FRAME_BYTES = 5;

/** By message: the same with gRPC's head before it, in one piece. */
const framed = new WeakMap<Uint8Array, Buffer>();

/** The bytes of a request. A tensor that has room in front (see `allocateWithRoom`) is not copied. */
export function messageOf(request: ClientRequest): Buffer {
  const parts = encodeInferRequest(toInferenceRequest(request), FRAME_BYTES);
  const [head, data] = parts;
  const isOne = parts.length === 2 && head !== undefined && data !== undefined;
  const frame = (isOne ? putBefore(data, head) : undefined) ?? joinParts(parts);
  frame[0] = 0;
  frame.writeUInt32BE(frame.length - FRAME_BYTES, 1);
  const message = frame.subarray(FRAME_BYTES);
  framed.set(message, frame);
  return message;
}

interface Outgoing {
  readonly message: Buffer;
  readonly flags?: number;
}

interface Filter {
  sendMessage(message: Promise<Outgoing>): Promise<Outgoing>;
}

/** Of grpc-js 1.14 what is used below. */
interface ChannelInternals {
  readonly internalChannel?: {
    readonly filterStackFactory?: { readonly factories?: { createFilter(): Filter }[] };
  };
}

/**
 * Spares grpc-js copying messages of {@link messageOf} to put its head before them. It has no option for that, so this reaches
 * into it; where another version is built differently, it copies.
 */
export function sendFramed(client: Client): void {
  const { internalChannel } = client.getChannel() as ChannelInternals;
  // The one filter that there is compresses (we never ask for it) and puts the head before messages.
  const factories = internalChannel?.filterStackFactory?.factories;
  const [factory] = factories ?? [];
  if (factories?.length !== 1 || typeof factory?.createFilter !== 'function') return;
  factories[0] = { createFilter: () => sparing(factory.createFilter()) };
}

function sparing(filter: Filter): Filter {
  const original = filter.sendMessage.bind(filter);
  filter.sendMessage = async (pending) => {
    const outgoing = await pending;
    const frame = framed.get(outgoing.message);
    return frame === undefined ? original(Promise.resolve(outgoing)) : { ...outgoing, message: frame };
  };
  return filter;
}
