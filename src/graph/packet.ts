/** An immutable payload with its time. The value is shared by reference among all that hold the packet: nobody changes it. */
export interface Packet<T = unknown> {
  readonly value: T;
  readonly timestamp: bigint;
}

/** Whether `candidate` has the form of a packet: an object with a `value` and a bigint `timestamp`. */
export function isPacket(candidate: unknown): candidate is Packet {
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof (candidate as Packet).timestamp === 'bigint' &&
    'value' in candidate
  );
}
