import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeBytes } from '../tensor/bytes.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import { NO_DATA, type SharedBytes } from '../tensor/shared-bytes.ts';
import { SharedMemoryRegions } from './regions.ts';
import { readSharedInputs, writeSharedOutputs } from './shared-tensors.ts';

const paths: string[] = [];

/** A shared memory object with 64 bytes: 0, 1, 2, … */
function object(bytes = 64): { key: string; path: string } {
  const name = `millrace-test-${randomUUID()}`;
  const path = `/dev/shm/${name}`;
  writeFileSync(path, Buffer.from(Array.from({ length: bytes }, (_, at) => at)));
  paths.push(path);
  return { key: `/${name}`, path };
}

afterEach(() => {
  for (const path of paths.splice(0)) rmSync(path, { recursive: true, force: true });
});

function requestWith(
  input: SharedBytes,
  output?: SharedBytes,
  datatype: 'UINT8' | 'BYTES' = 'UINT8',
): InferenceRequest {
  return {
    servable: 'm',
    version: '',
    id: '',
    inputs: [{ name: 'x', datatype, shape: [input.byteSize], data: NO_DATA, shared: input }],
    outputs: output === undefined ? [] : [{ name: 'y', shared: output }],
  };
}

function read(regions: SharedMemoryRegions, input: SharedBytes): number[] {
  const placed = regions.place(requestWith(input));
  if (placed === undefined) throw new Error('the request has shared memory');
  try {
    return [...(readSharedInputs(placed.request).inputs[0]?.data ?? [])];
  } finally {
    placed.release();
  }
}

describe.runIf(existsSync('/dev/shm'))('shared memory regions', () => {
  test('reads inputs and writes outputs at the offsets of region and tensor', () => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    const { key, path } = object();
    regions.register({ name: 'r', key, offset: 10, byteSize: 40 });
    expect(read(regions, { region: 'r', offset: 2, byteSize: 3 })).toEqual([12, 13, 14]);

    const output = { region: 'r', offset: 20, byteSize: 4 };
    const placed = regions.place(requestWith({ region: 'r', offset: 0, byteSize: 1 }, output));
    const response = writeSharedOutputs(placed?.request as InferenceRequest, {
      servable: 'm',
      version: '1',
      id: '',
      outputs: [{ name: 'y', datatype: 'UINT8', shape: [2], data: Uint8Array.of(201, 202) }],
    });
    placed?.release();
    expect(response.outputs[0]?.data.byteLength).toBe(0);
    expect([...readFileSync(path).subarray(29, 33)]).toEqual([29, 201, 202, 32]);
    expect(readFileSync(path).length).toBe(64);
  });

  test('lists regions as they were registered, and takes them away', () => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    const { key } = object();
    regions.register({ name: 'a', key, offset: 0, byteSize: 8 });
    regions.register({ name: 'b', key: `/${key}`, offset: 8, byteSize: 8 });
    expect(regions.status('')).toEqual([
      { name: 'a', key, offset: 0, byteSize: 8 },
      { name: 'b', key: `/${key}`, offset: 8, byteSize: 8 },
    ]);
    expect(() => regions.register({ name: 'a', key, offset: 0, byteSize: 8 })).toThrow(
      "shared memory region 'a' already in manager",
    );
    regions.unregister('nobody');
    regions.unregister('a');
    expect(() => regions.status('a')).toThrow("Unable to find system shared memory region: 'a'");
    regions.unregister('');
    expect(regions.status('')).toEqual([]);
  });

  test.each([
    ['', 'a key that is not empty'],
    ['/triton_python_backend_shm_region_1', 'does not begin with'],
    ['/nobody-has-this', 'Unable to open shared memory region'],
    ['../etc/passwd', 'Unable to open shared memory region'],
    ['/..', 'Unable to open shared memory region'],
    ['.', 'Unable to open shared memory region'],
    ['a\0b', 'Unable to open shared memory region'],
    [`/${'x'.repeat(300)}`, 'Unable to open shared memory region'],
  ])('refuses key %j', (key, text) => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    expect(() => regions.register({ name: 'r', key, offset: 0, byteSize: 1 })).toThrow(text);
    expect(regions.status('')).toEqual([]);
  });

  test('opens neither links nor folders', () => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    const { path } = object();
    symlinkSync(path, `${path}-link`);
    mkdirSync(`${path}-folder`);
    paths.push(`${path}-link`, `${path}-folder`);
    for (const key of [`${path}-link`, `${path}-folder`]) {
      const register = (): void =>
        regions.register({ name: 'r', key: key.slice('/dev/shm'.length), offset: 0, byteSize: 1 });
      expect(register).toThrow('Unable to open shared memory region');
    }
  });

  test.each([
    [0, 65],
    [64, 1],
    [0, 0],
    [-1, 8],
    [2 ** 60, 2 ** 60],
    [Number.MAX_SAFE_INTEGER, 8],
    [0.5, 8],
  ])('refuses the range %d + %d of an object of 64 bytes', (offset, byteSize) => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    expect(() => regions.register({ name: 'r', key: object().key, offset, byteSize })).toThrow(
      "failed to register shared memory region 'r': invalid args",
    );
  });

  test.each([
    ['nobody', 0, 1, "Unable to find shared memory region: 'nobody'"],
    ['r', 33, 0, "Invalid offset for shared memory region: 'r'"],
    ['r', 30, 3, "Invalid offset + byte size for shared memory region: 'r'"],
  ])('refuses %s at %d, %d bytes, of a region of 32', (region, offset, byteSize, text) => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    regions.register({ name: 'r', key: object().key, offset: 0, byteSize: 32 });
    expect(() => read(regions, { region, offset, byteSize })).toThrow(text);
  });

  test('a request that is under way keeps its region, also when its object is unlinked; later ones do not find it', () => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    const { key, path } = object();
    regions.register({ name: 'r', key, offset: 0, byteSize: 8 });
    const placed = regions.place(requestWith({ region: 'r', offset: 0, byteSize: 2 }));
    rmSync(path);
    regions.unregister('r');
    expect([...(readSharedInputs(placed?.request as InferenceRequest).inputs[0]?.data ?? [])]).toEqual([0, 1]);
    expect(() => read(regions, { region: 'r', offset: 0, byteSize: 1 })).toThrow('Unable to find');
    placed?.release();
    expect(() => readSharedInputs(placed?.request as InferenceRequest)).toThrow('Unable to open');
  });

  test('an object that was made shorter is not read beyond its end, nor made longer again', () => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    const { key, path } = object();
    regions.register({ name: 'r', key, offset: 0, byteSize: 64 });
    truncateSync(path, 4);
    expect(() => read(regions, { region: 'r', offset: 0, byteSize: 8 })).toThrow('shorter than when it was registered');
    const placed = regions.place(
      requestWith({ region: 'r', offset: 0, byteSize: 1 }, { region: 'r', offset: 8, byteSize: 8 }),
    );
    const outputs = [{ name: 'y', datatype: 'UINT8', shape: [8], data: new Uint8Array(8) }] as const;
    expect(() =>
      writeSharedOutputs(placed?.request as InferenceRequest, { servable: 'm', version: '1', id: '', outputs }),
    ).toThrow('shorter than when it was registered');
    placed?.release();
    expect(readFileSync(path).length).toBe(4);
  });

  test('an output larger than its place is refused with both sizes, and nothing is written', () => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    const { key, path } = object();
    regions.register({ name: 'r', key, offset: 0, byteSize: 64 });
    const before = readFileSync(path);
    const placed = regions.place(
      requestWith({ region: 'r', offset: 0, byteSize: 1 }, { region: 'r', offset: 8, byteSize: 4 }),
    );
    const outputs = [{ name: 'y', datatype: 'UINT8', shape: [8], data: new Uint8Array(8) }] as const;
    expect(() =>
      writeSharedOutputs(placed?.request as InferenceRequest, { servable: 'm', version: '1', id: '', outputs }),
    ).toThrow("for output 'y' (4 bytes) should be at least 8 bytes to hold the results");
    placed?.release();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('BYTES are checked once they are read', () => {
    using regions = new SharedMemoryRegions({ isEnabled: true });
    const { key, path } = object();
    writeFileSync(path, Buffer.concat([encodeBytes(['ab']), Buffer.alloc(58)]));
    regions.register({ name: 'r', key, offset: 0, byteSize: 64 });
    const text = (byteSize: number): InferenceRequest => {
      const request = requestWith({ region: 'r', offset: 0, byteSize }, undefined, 'BYTES');
      const placed = regions.place({ ...request, inputs: request.inputs.map((input) => ({ ...input, shape: [1] })) });
      try {
        return readSharedInputs(placed?.request as InferenceRequest);
      } finally {
        placed?.release();
      }
    };
    expect(text(6).inputs[0]?.data.byteLength).toBe(6);
    expect(() => text(5)).toThrow('incomplete string data');
  });

  test('is off unless asked for, and away from Linux', () => {
    const { key } = object();
    const spec = { name: 'r', key, offset: 0, byteSize: 1 };
    using off = new SharedMemoryRegions({ isEnabled: false });
    expect(() => off.register(spec)).toThrow('Client shared memory is disabled');
    expect(() => read(off, { region: 'r', offset: 0, byteSize: 1 })).toThrow('Client shared memory is disabled');
    expect(off.status('')).toEqual([]);
    off.unregister('');
    using elsewhere = new SharedMemoryRegions({ isEnabled: true, platform: 'darwin' });
    expect(() => elsewhere.register(spec)).toThrow('on Linux only');
  });
});
