/**
 * The framed protocol between the front and a host, over one byte stream each way.
 *
 * A frame is a 12-byte header (little-endian: uint32 payload length, uint32 channel, uint8 message type, uint8 flags, two
 * spare bytes) and up to 256 KiB of payload. A message of one frame has both flags; a longer one starts with a frame whose
 * payload begins with the message's whole length (uint32), so that the receiver allocates once. Frames of different
 * channels interleave; those of one channel do not. Between Node processes a message of middling size may be in a file in memory
 * that both have (`message-store.ts`): its frame has all three flags, and says where it is and how long (two uint32).
 *
 * A message is: uint32 head length, head, padding to 8, then each tensor's bytes padded to 8. The receiver's buffer starts
 * 8-aligned, so every tensor in it can be viewed as any typed array.
 */
export const PROTOCOL_VERSION = 1;
export const HEADER_BYTES = 12;
export const MAX_PAYLOAD_BYTES = 256 * 1024;

/**
 * Channels up from here are opened by the host, and all messages of calls and sessions go the other way round there: INFER for
 * models that are on another host, OPEN for steps of ensembles that answer more than once.
 */
export const FIRST_HOST_CHANNEL = 0x8000_0000;

export const FLAG_FIRST = 1;
export const FLAG_LAST = 2;
export const FLAG_STORED = 4;

export const MESSAGE = {
  // front → host
  HELLO: 1,
  LOAD: 2,
  UNLOAD: 3,
  INFER: 4,
  OPEN: 5,
  PUSH: 6,
  HALF_CLOSE: 7,
  /** Room for more responses of a session. */
  CREDIT: 8,
  ABORT: 9,
  PING: 10,
  /** The client of a runtime's session reads slowly: until the next CREDIT nothing more is made, whatever credit is left, and
   * then no more at once than the look-ahead (`streamLookAhead` of the hello's settings), which grows with each CREDIT (`WINDOW_GROWTH`). */
  PAUSE: 11,
  /** As OPEN, of a video pipeline: its program is the request's parameter `program`. Clients' requests never become one. */
  OPEN_PIPELINE: 12,
  /** What the host logs from now on: a string, JSON of `LogSettings` (`src/base/logger.ts`). */
  LOG: 13,
  /** The resources that a run has waited for (ACQUIRE) are its own until RELEASE. */
  GRANTED: 14,
  // host → front
  WELCOME: 32,
  LOADED: 33,
  RESPONSE: 34,
  REQUEST_ERROR: 35,
  /** Requests of a session that were taken: room for as many more; and what else has changed in the session. */
  TAKEN: 36,
  /** The last message of a channel. */
  END: 37,
  PONG: 38,
  /** Varints: deadline in milliseconds or 0, thread (`HostEvents.onRunStarted`). */
  RUN_STARTED: 39,
  /** Varints: loadId or 0, the six of `RunTiming`, thread. */
  RUN_ENDED: 40,
  /**
   * Custom metrics of a runtime, channel 0: varint loadId, string JSON array of
   * `{type: "counter"|"gauge"|"histogram", name, help, labels?: {…}, bounds?: […], values: […]}`. A counter's values are
   * increments, a gauge's last one is its value, a histogram's are observations.
   */
  METRICS: 41,
  /** The host has no use any more for a model of another host, which it was told to UNLOAD. Channel 0: varint loadId. */
  RELEASED: 42,
  /** A run wants resources that runs of other hosts share: varint loadId, a string, JSON of `ResourceNeed`. */
  ACQUIRE: 43,
  /** It has ended. */
  RELEASE: 44,
  // both ways
  /** A stored message was read. Channel 0: varint place. It may go out late, with others. */
  FREED: 64,
} as const;

export type MessageType = (typeof MESSAGE)[keyof typeof MESSAGE];

/** The first message of a call's or session's channel. */
export function opensChannel(type: number): boolean {
  return type === MESSAGE.INFER || type === MESSAGE.OPEN || type === MESSAGE.OPEN_PIPELINE || type === MESSAGE.ACQUIRE;
}

/** Messages that may overtake others of their channel, but the first: they must not wait behind a big tensor. */
export function isUrgent(type: number): boolean {
  return (
    type === MESSAGE.ABORT ||
    type === MESSAGE.CREDIT ||
    type === MESSAGE.PAUSE ||
    type === MESSAGE.TAKEN ||
    type === MESSAGE.PING ||
    type === MESSAGE.PONG ||
    type === MESSAGE.RUN_STARTED ||
    type === MESSAGE.RUN_ENDED
  );
}

export function padded(bytes: number): number {
  return bytes + (-bytes & 7);
}
