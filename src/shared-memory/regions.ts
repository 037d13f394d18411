import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { MillraceError } from '../base/errors.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import { sharesMemory, type SharedBytes, type SharedFile } from '../tensor/shared-bytes.ts';
import { fileId } from './shared-file.ts';

/** A region as clients register it. */
export interface RegionSpec {
  readonly name: string;
  /** POSIX name of the shared memory object. */
  readonly key: string;
  /** Bytes from the beginning of the object. */
  readonly offset: number;
  readonly byteSize: number;
}

/** A request whose regions stay as they are until `release`. */
export interface PlacedRequest {
  readonly request: InferenceRequest;
  release(): void;
}

/** What the protocols know of shared memory. */
export interface SharedMemory {
  /** @throws MillraceError REGION_EXISTS, REGION_INVALID, or NOT_SUPPORTED where it is off */
  register(region: RegionSpec): void;
  /** Requests under way keep it. "" takes all away; a name that is not there is no fault. */
  unregister(name: string): void;
  /** @param name "" means all. @throws MillraceError REGION_NOT_FOUND */
  status(name: string): readonly RegionSpec[];
}

interface Region extends RegionSpec {
  readonly fd: number;
  readonly file: Omit<SharedFile, 'start'>;
  users: number;
  isGone: boolean;
}

/** Where Linux has shared memory objects as files. */
const FOLDER = '/dev/shm';
const MAX_NAME_BYTES = 255;
const RESERVED = 'triton_python_backend_shm_region_';
const MAX_REGIONS = 1024;

export interface SharedMemoryOptions {
  /** Else registering is refused: a region lets its client name memory of this machine. */
  readonly isEnabled: boolean;
  /** @default process.platform */
  readonly platform?: string;
}

/**
 * System shared memory regions by name (KServe sheet §3.4). A region's file is kept open, so that it stays the same object
 * whatever becomes of its name, and hosts find it as `/proc/<pid>/fd/<fd>`.
 */
export class SharedMemoryRegions implements SharedMemory, Disposable {
  readonly #options: SharedMemoryOptions;
  readonly #regions = new Map<string, Region>();

  constructor(options: SharedMemoryOptions) {
    this.#options = options;
  }

  register(spec: RegionSpec): void {
    this.#checkEnabled();
    const { name, key, offset, byteSize } = spec;
    if (name === '') throw invalid(name, `failed to register shared memory region '': a name expected`);
    if (this.#regions.has(name)) {
      throw new MillraceError('REGION_EXISTS', `shared memory region '${name}' already in manager`, {
        details: { region: name },
      });
    }
    if (this.#regions.size >= MAX_REGIONS) {
      throw new MillraceError(
        'LIMIT_REACHED',
        `${MAX_REGIONS} shared memory regions are registered, which is the limit`,
      );
    }
    const { fd, size, id } = openObject(name, key);
    if (!isSize(offset) || !isSize(byteSize) || byteSize === 0 || offset + byteSize > size) {
      closeSync(fd);
      const range = `offset ${offset} and byte size ${byteSize} given, an object of ${size} bytes`;
      throw invalid(name, `failed to register shared memory region '${name}': invalid args: ${range}`);
    }
    const file = { path: `/proc/${process.pid}/fd/${fd}`, id };
    this.#regions.set(name, { name, key, offset, byteSize, fd, file, users: 0, isGone: false });
  }

  unregister(name: string): void {
    const regions = name === '' ? [...this.#regions.values()] : [this.#regions.get(name)];
    for (const region of regions) {
      if (region === undefined) continue;
      this.#regions.delete(region.name);
      region.isGone = true;
      closeIfUnused(region);
    }
  }

  status(name: string): readonly RegionSpec[] {
    const regions = name === '' ? [...this.#regions.values()] : [this.#regions.get(name)];
    return regions.map((region) => {
      if (region === undefined) throw notFound(name, `Unable to find system shared memory region: '${name}'`);
      const { key, offset, byteSize } = region;
      return { name: region.name, key, offset, byteSize };
    });
  }

  /**
   * Looks up the regions of a request. Undefined: it has none.
   * @throws MillraceError REGION_NOT_FOUND, REGION_INVALID, or NOT_SUPPORTED where it is off
   */
  place(request: InferenceRequest): PlacedRequest | undefined {
    if (!sharesMemory(request)) return undefined;
    this.#checkEnabled();
    const used: Region[] = [];
    const placeOf = (shared: SharedBytes): SharedBytes => {
      const region = this.#find(shared);
      used.push(region);
      return { ...shared, file: { ...region.file, start: region.offset } };
    };
    const place = <T extends { readonly shared?: SharedBytes | undefined }>(each: T): T =>
      each.shared === undefined ? each : { ...each, shared: placeOf(each.shared) };
    const placed = { ...request, inputs: request.inputs.map(place), outputs: request.outputs.map(place) };
    for (const region of used) region.users++;
    return {
      request: placed,
      release: () => {
        for (const region of used.splice(0)) {
          region.users--;
          closeIfUnused(region);
        }
      },
    };
  }

  [Symbol.dispose](): void {
    this.unregister('');
  }

  #find({ region: name, offset, byteSize }: SharedBytes): Region {
    const region = this.#regions.get(name);
    if (region === undefined) throw notFound(name, `Unable to find shared memory region: '${name}'`);
    if (offset > region.byteSize) throw invalid(name, `Invalid offset for shared memory region: '${name}'`);
    if (offset + byteSize > region.byteSize) {
      throw invalid(name, `Invalid offset + byte size for shared memory region: '${name}'`);
    }
    return region;
  }

  #checkEnabled(): void {
    const { isEnabled, platform = process.platform } = this.#options;
    if (!isEnabled) {
      throw new MillraceError(
        'NOT_SUPPORTED',
        'Client shared memory is disabled. Start the server with --shared_memory to enable it, or send tensors in the request',
      );
    }
    if (platform !== 'linux') {
      throw new MillraceError('NOT_SUPPORTED', `shared memory is served on Linux only, this is ${platform}`);
    }
  }
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Opens the object of a POSIX name, and nothing else: no folder, no link, no pipe. Python may double its first slash. */
function openObject(region: string, key: string): { fd: number; size: number; id: string } {
  const name = key.replace(/^\/+/, '');
  if (name === '' || name.startsWith(RESERVED)) {
    const expected = `a key that is not empty and does not begin with '${RESERVED}' expected`;
    throw invalid(region, `cannot register shared memory region '${region}' with key '${key}': ${expected}`);
  }
  const isPlain = !name.includes('/') && !name.includes('\0') && name !== '.' && name !== '..';
  if (!isPlain || Buffer.byteLength(name) > MAX_NAME_BYTES) throw cannotOpen(region, key);
  let fd: number;
  try {
    fd = openSync(`${FOLDER}/${name}`, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw cannotOpen(region, key, error);
  }
  const stats = fstatSync(fd);
  if (stats.isFile()) return { fd, size: stats.size, id: fileId(stats) };
  closeSync(fd);
  throw cannotOpen(region, key);
}

function closeIfUnused(region: Region): void {
  if (region.isGone && region.users === 0) closeSync(region.fd);
}

function cannotOpen(region: string, key: string, cause?: unknown): MillraceError {
  const details = { region, key };
  return new MillraceError('REGION_INVALID', `Unable to open shared memory region: '${key}'`, {
    code: 'INTERNAL',
    details,
    cause,
  });
}

function invalid(region: string, message: string): MillraceError {
  return new MillraceError('REGION_INVALID', message, { details: { region } });
}

function notFound(region: string, message: string): MillraceError {
  return new MillraceError('REGION_NOT_FOUND', message, { details: { region } });
}
