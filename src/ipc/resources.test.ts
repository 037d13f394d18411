import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { fromStream } from './connection.ts';
import { HostClient } from './host-client.ts';
import { HostServer } from './host-server.ts';
import type { ResourceNeed } from './resource-need.ts';

const NEED: ResourceNeed = { priority: 2, resources: [{ name: 'R', count: 1 }] };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A host that asks its front for resources, of which there is one. */
function connect() {
  const [near, far] = duplexPair();
  const waiting: (() => void)[] = [];
  const told: unknown[] = [];
  let isHeld = false;
  const next = (): void => {
    if (isHeld) return;
    isHeld = waiting.length > 0;
    waiting.shift()?.();
  };
  const front = new HostClient(
    near,
    { maxMessages: 1, maxBytes: 1 },
    {
      onAlive() {},
      onRunStarted() {},
      onRunEnded() {},
      onMetrics() {},
      onAcquire(loadId, need, grant) {
        told.push([loadId, need]);
        const granted = (): void =>
          grant(() => {
            isHeld = false;
            next();
          });
        waiting.push(granted);
        next();
        return () => void waiting.splice(waiting.indexOf(granted), 1);
      },
    },
  );
  const handler = {
    start: () => Promise.resolve(),
    load: () => Promise.resolve({}),
    unload() {},
    infer: () => Promise.reject(new Error('not asked for')),
    open: () => ({ push() {}, halfClose() {}, abort() {}, onRoom() {} }),
    stop: () => Promise.resolve(),
  };
  const host = new HostServer(fromStream(far), handler, { onFault() {}, onClose() {} });
  return { front, host, near, far, told, waiting, holds: () => isHeld };
}

test('a run waits for the resources that another one holds, and gets them when that gives them back', async () => {
  const { front, host, told, holds } = connect();
  const release = await host.acquire(7, NEED);
  let isGranted = false;
  const second = host.acquire(8, NEED).then((give) => {
    isGranted = true;
    return give;
  });
  for (let i = 0; i < 10; i++) await turn();
  expect(isGranted).toBe(false);
  release();
  (await second)();
  while (holds()) await turn();
  expect(told).toEqual([
    [7, NEED],
    [8, NEED],
  ]);
  front.close('the test is over');
});

test('what a host held or waited for is given back when it is gone', async () => {
  const { host, near, far, waiting, holds } = connect();
  await host.acquire(7, NEED);
  const lost = expect(host.acquire(8, NEED)).rejects.toThrow('the server is gone');
  while (waiting.length === 0) await turn();
  far.destroy();
  near.destroy();
  await lost;
  while (holds() || waiting.length > 0) await turn();
});
