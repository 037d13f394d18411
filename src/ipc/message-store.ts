import { closeSync, constants, openSync, readSync, statfsSync, unlinkSync, writevSync } from 'node:fs';
import { randomUUID } from 'node:crypto';

/** Where Linux keeps files in memory. */
const FOLDER = '/dev/shm';
const UNIT_BYTES = 64 * 1024;
/** Of one direction, at most; and at most this share of what the folder holds, which others use too (64 MiB in a container). */
const MAX_STORE_BYTES = 16 * 2 ** 20;
const STORE_SHARE = 1 / 64;
const MIN_STORE_BYTES = 2 ** 20;
/** Shorter messages cost less in the socket, and longer ones would keep the event loop for a millisecond and more. */
const MIN_MESSAGE_BYTES = 32 * 1024;
const MAX_MESSAGE_BYTES = 2 * 2 ** 20;

/**
 * Memory that two processes share, for the big messages of one direction: a file without a name. A socket takes some 200 KB
 * until its reader has run; what is in here waits whole while a model's run blocks the reader, and needs no waking of the writer.
 * Node has no mmap, so the two ends copy by `writev` and `read`, as they would with a socket.
 */
export interface MessageStore {
  readonly fd: number;
  readonly bytes: number;
}

/** The stores of a connection, as one of its ends sees them. */
export interface MessageStores {
  readonly outgoing: MessageStore;
  readonly incoming: MessageStore;
}

/** Undefined where the platform has no files in memory, or too little room for them. Who opens it closes `fd`. */
export function openMessageStore(folder = FOLDER): MessageStore | undefined {
  if (process.platform !== 'linux') return undefined;
  const path = `${folder}/millrace-${process.pid}-${randomUUID()}`;
  try {
    const { blocks, bsize } = statfsSync(folder);
    const bytes = Math.min(MAX_STORE_BYTES, Math.floor((blocks * bsize * STORE_SHARE) / UNIT_BYTES) * UNIT_BYTES);
    if (bytes < MIN_STORE_BYTES) return undefined;
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
    return { fd, bytes };
  } catch {
    return undefined; // no such folder, or it cannot be written: the socket does it all
  }
}

export function closeMessageStore(store: MessageStore): void {
  closeSync(store.fd);
}

/** Both; undefined: there are none. */
export function closeMessageStores(stores: MessageStores | undefined): void {
  if (stores === undefined) return;
  closeMessageStore(stores.outgoing);
  closeMessageStore(stores.incoming);
}

/** Places of a store, for its writer. */
export class StoreWriter {
  readonly #store: MessageStore;
  readonly #isTaken: Uint8Array;
  /** Units of the message that begins at each. */
  readonly #lengths: Uint16Array;
  readonly #maxBytes: number;

  constructor(store: MessageStore) {
    this.#store = store;
    const units = store.bytes / UNIT_BYTES;
    this.#isTaken = new Uint8Array(units);
    this.#lengths = new Uint16Array(units);
    this.#maxBytes = Math.min(MAX_MESSAGE_BYTES, store.bytes / 2);
  }

  /** Whether messages of so many bytes belong here. */
  takes(bytes: number): boolean {
    return bytes >= MIN_MESSAGE_BYTES && bytes <= this.#maxBytes;
  }

  /** @returns the number of the place, for `free`; undefined where there is no room now */
  write(parts: readonly Uint8Array[], bytes: number): number | undefined {
    const units = Math.ceil(bytes / UNIT_BYTES);
    const place = this.#find(units);
    if (place === undefined || !this.#write(parts, bytes, place * UNIT_BYTES)) return undefined;
    this.#isTaken.fill(1, place, place + units);
    this.#lengths[place] = units;
    return place;
  }

  /** The other end has read what is there. @throws Error where nothing is */
  free(place: number): void {
    const units = this.#lengths[place] ?? 0;
    if (units === 0) throw new Error(`place ${place} of a message store was freed, and nothing is there`);
    this.#lengths[place] = 0;
    this.#isTaken.fill(0, place, place + units);
  }

  /** The first gap that is long enough: its memory was used last, and is near the processor. */
  #find(units: number): number | undefined {
    let length = 0;
    for (let at = 0; at < this.#isTaken.length; at++) {
      length = this.#isTaken[at] === 0 ? length + 1 : 0;
      if (length === units) return at + 1 - units;
    }
    return undefined;
  }

  /** False: the folder is full. */
  #write(parts: readonly Uint8Array[], bytes: number, at: number): boolean {
    try {
      return writevSync(this.#store.fd, parts, at) === bytes;
    } catch {
      return false;
    }
  }
}

/** @throws Error where a message of so many bytes cannot be at this place of the store */
export function checkPlace(store: MessageStore, place: number, bytes: number): void {
  const at = place * UNIT_BYTES;
  if (at + bytes > store.bytes) throw new Error(`message of ${bytes} bytes at ${at} of a store of ${store.bytes}`);
}

/** Copies a message out of a place into `body`. @throws Error where less is there: the file was cut off */
export function readMessage(store: MessageStore, place: number, body: Buffer): void {
  const read = readSync(store.fd, body, 0, body.length, place * UNIT_BYTES);
  if (read !== body.length) throw new Error(`message of ${body.length} bytes in a store, ${read} found`);
}
