/** Free bytes in front of a tensor's memory; the heads of our messages need about 200. */
const HEADROOM = 1024;

/** Memory whose room in front is not taken. */
const roomy = new WeakSet<ArrayBufferLike>();

/** New memory for a big tensor, with room in front for the head of the message that it goes into: so nobody copies it to send it. */
export function allocateWithRoom(bytes: number): Buffer {
  const data = Buffer.allocUnsafeSlow(HEADROOM + bytes).subarray(HEADROOM);
  roomy.add(data.buffer);
  return data;
}

/** The room is free again: what was put there is no longer wanted, as when the memory is used again. */
export function freeRoom(data: Uint8Array): void {
  if (data.byteOffset === HEADROOM) roomy.add(data.buffer);
}

/**
 * `head` and `data` as one buffer without copying `data`, where that has free room in front; else undefined. The room is taken
 * then.
 */
export function putBefore(data: Uint8Array, head: Uint8Array): Buffer | undefined {
  const { buffer, byteOffset, byteLength } = data;
  if (byteOffset !== HEADROOM || head.byteLength > HEADROOM || !roomy.delete(buffer)) return undefined;
  const whole = Buffer.from(buffer, HEADROOM - head.byteLength, head.byteLength + byteLength);
  whole.set(head);
  return whole;
}
