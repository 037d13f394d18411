import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCutProxy } from '../support/cut-proxy.ts';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { openSockets, residentMiB } from '../support/leaks.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.stop();
});

const STREAMS_AT_ONCE = 100;

/** One request of the running sum, and one that is answered only when the stream has long been left. */
const counter = {
  model_name: 'counter',
  inputs: [{ name: 'input', datatype: 'FP32', shape: [1], contents: { fp32_contents: [1] } }],
};
const slowWords = {
  model_name: 'words',
  parameters: { delay_s: { int64_param: 3600 } },
  inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from('a b')] } }],
};

/** Opens streams on a connection of their own, waits for the first answer of each, and leaves them in the given way. */
async function openAndLeave(leave: 'half-close' | 'cancel' | 'disconnect'): Promise<void> {
  await using proxy = await startCutProxy(server.grpcPort);
  using client = new KserveGrpc(proxy.address, { 'grpc.use_local_subchannel_pool': 1 });
  const calls = Array.from({ length: STREAMS_AT_ONCE }, (_, i) => {
    const call = client.open('ModelStreamInfer', 60_000);
    call.on('error', () => {}); // cancelled or disconnected
    call.write(leave === 'half-close' || i % 2 === 0 ? counter : slowWords);
    return call;
  });
  await Promise.all(calls.map((call) => once(call, 'data')));
  const ended = calls.map((call) => new Promise((resolve) => call.on('status', resolve)));
  for (const call of calls) {
    if (leave === 'half-close') call.end();
    else if (leave === 'cancel') call.cancel();
  }
  if (leave === 'disconnect') proxy.cut();
  await Promise.all(ended);
}

/** Leaves `rounds` times as many streams in each way as are open at once, one tenth of them badly. */
async function openAndLeaveMany(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await openAndLeave('half-close');
    if (round % 10 === 0) {
      await openAndLeave('cancel');
      await openAndLeave('disconnect');
    }
  }
}

test('streams that end, are cancelled or lose their client leave no socket, no process and no memory behind', async () => {
  // The first thousands let the heaps and the compiled code of all processes grow to what they need.
  await openAndLeaveMany(50);
  const pids = server.children().map(({ pid }) => pid);
  const processes = [server.pid, ...pids];
  const memory = (): number => processes.reduce((sum, pid) => sum + residentMiB(pid), 0);
  await vi.waitFor(() => expect(openSockets(server.pid)).toBeLessThan(STREAMS_AT_ONCE), { timeout: 20_000 });
  const [sockets, before] = [openSockets(server.pid), memory()];

  await openAndLeaveMany(100);

  await vi.waitFor(() => expect(openSockets(server.pid)).toBeLessThanOrEqual(sockets), { timeout: 20_000 });
  expect(server.children().map(({ pid }) => pid)).toEqual(pids);
  // 12,000 streams: 8 KiB kept of each would be 94. The garbage collectors of all processes may be behind.
  expect(memory() - before).toBeLessThan(80);
}, 300_000);
