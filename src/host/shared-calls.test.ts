import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openedFiles } from '../shared-memory/shared-file.ts';
import { SharedMemoryRegions } from '../shared-memory/regions.ts';
import { BufferPool } from '../base/buffer-pool.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { NO_DATA } from '../tensor/shared-bytes.ts';
import { SharedCalls } from './shared-calls.ts';

const BYTES = 128 * 1024;
const path = `/dev/shm/millrace-test-${randomUUID()}`;
let regions: SharedMemoryRegions;

beforeEach(() => {
  writeFileSync(path, Buffer.alloc(2 * BYTES, 7));
  regions = new SharedMemoryRegions({ isEnabled: true });
  regions.register({ name: 'r', key: path.slice('/dev/shm'.length), offset: 0, byteSize: 2 * BYTES });
});
afterEach(() => {
  regions[Symbol.dispose]();
  rmSync(path, { force: true });
});

function request(isOutputShared: boolean): InferenceRequest {
  const shared = { region: 'r', offset: 0, byteSize: BYTES };
  const output = { name: 'y', shared: isOutputShared ? { ...shared, offset: BYTES } : undefined };
  const input = { name: 'x', datatype: 'UINT8', shape: [BYTES], data: NO_DATA, shared } as const;
  const placed = regions.place({ servable: 'm', version: '', id: '', inputs: [input], outputs: [output] });
  return placed?.request as InferenceRequest;
}

/** Answers with a copy of the input, or the input itself. */
const echo =
  (seen: ArrayBufferLike[], copies: boolean) =>
  async ({ inputs }: InferenceRequest): Promise<InferenceResponse> => {
    const data = inputs[0]?.data as Buffer;
    seen.push(data.buffer);
    const output = {
      name: 'y',
      datatype: 'UINT8',
      shape: [BYTES],
      data: copies ? Uint8Array.from(data) : data,
    } as const;
    return { servable: 'm', version: '1', id: '', outputs: [output] };
  };

describe.runIf(existsSync('/dev/shm'))('calls with shared memory', () => {
  test('memory of inputs is used again once nothing looks at it', async () => {
    const seen: ArrayBufferLike[] = [];
    const calls = new SharedCalls(new BufferPool(4 * BYTES), openedFiles);
    for (let call = 0; call < 3; call++) await calls.run(request(true), true, echo(seen, false));
    expect(new Set(seen).size).toBe(1);
    expect([...new Set(readFileSync(path).subarray(BYTES))]).toEqual([7]);
  });

  test('memory that the response shows, or that users’ code had, is not', async () => {
    const seen: ArrayBufferLike[] = [];
    const calls = new SharedCalls(new BufferPool(4 * BYTES), openedFiles);
    const response = await calls.run(request(false), true, echo(seen, false));
    writeFileSync(path, Buffer.alloc(2 * BYTES, 8));
    await calls.run(request(false), true, echo(seen, false));
    expect(response.outputs[0]?.data[0]).toBe(7);
    for (let call = 0; call < 2; call++) await calls.run(request(true), false, echo(seen, true));
    expect(new Set(seen).size).toBe(4);
  });

  test('memory that came with a request is used again, too', async () => {
    const pool = new BufferPool(4 * BYTES);
    const calls = new SharedCalls(pool, openedFiles);
    const data = pool.take(BYTES);
    const inputs = [{ name: 'x', datatype: 'UINT8', shape: [BYTES], data }] as const;
    const request: InferenceRequest = { servable: 'm', version: '', id: '', inputs, outputs: [] };
    await calls.run(request, false, echo([], true));
    expect(pool.take(BYTES).buffer).not.toBe(data.buffer);
    await calls.run(request, true, echo([], false));
    expect(pool.take(BYTES).buffer).not.toBe(data.buffer);
    await calls.run(request, true, echo([], true));
    expect(pool.take(BYTES).buffer).toBe(data.buffer);
  });

  test('nor is that of a call that failed, which may still be running', async () => {
    const seen: ArrayBufferLike[] = [];
    const calls = new SharedCalls(new BufferPool(4 * BYTES), openedFiles);
    const fail = async ({ inputs }: InferenceRequest): Promise<InferenceResponse> => {
      for (const { data } of inputs) seen.push(data.buffer);
      throw new Error('cancelled');
    };
    await expect(calls.run(request(true), true, fail)).rejects.toThrow('cancelled');
    await calls.run(request(true), true, echo(seen, true));
    expect(new Set(seen).size).toBe(2);
  });
});
