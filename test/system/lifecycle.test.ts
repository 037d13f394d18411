import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { isRunning, openSockets } from '../support/leaks.ts';
import { OpenStream } from '../support/open-stream.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const words = async (server: TestServer, prompt: string, delayS: number): Promise<string[]> => {
  const response = await fetch(`${server.restUrl}/v2/models/words/generate_stream`, {
    method: 'POST',
    body: JSON.stringify({ prompt, delay_s: delayS }),
  });
  const text = await response.text();
  return [...text.matchAll(/^data: (.*)$/gm)].map(
    ([, json]) => (JSON.parse(json as string) as { output: string }).output,
  );
};

describe('SIGTERM', () => {
  it('loses nothing that was accepted: requests and streams end well, then the server exits with 0', async () => {
    const server = await startServer();
    const grpc = new KserveGrpc(server.grpcAddress);
    const streams = Array.from({ length: 5 }, () => new OpenStream(server.grpcAddress, 'counter'));
    for (const stream of streams) expect(await stream.add(1)).toBe(1);
    const slow = Array.from({ length: 50 }, () => words(server, 'a b c', 1));
    const metrics = async (): Promise<string> => (await fetch(`${server.restUrl}/metrics`)).text();
    await expect.poll(metrics).toMatch(/^millrace_sessions\{name="words"\} 50$/m);
    const stopped = server.stop();
    await delay(200);
    // Streams that are open go on until their clients half-close.
    for (const stream of streams) expect(await stream.add(2)).toBe(3);
    for (const stream of streams) expect(await stream.close()).toBe(0);
    for (const outcome of await Promise.all(slow)) expect(outcome).toEqual(['a', ' b', ' c']);
    await stopped;
    grpc.close();
  });

  it('is not ready at once, and ends what is left when the grace time is over', async () => {
    const server = await startServer({ flags: ['--shutdown_grace_s', '1'] });
    const stream = new OpenStream(server.grpcAddress, 'counter');
    expect(await stream.add(1)).toBe(1);
    await server.stop();
    expect(await stream.ended).not.toBe(0);
  });
});

describe('a host that is killed', () => {
  it('ends only its own sessions, with the reason; others lose nothing and its replacement serves', async () => {
    await using server = await startServer({ flags: ['--hosts', '2'] });
    const streams = Array.from({ length: 6 }, () => new OpenStream(server.grpcAddress, 'counter'));
    for (const stream of streams) expect(await stream.add(1)).toBe(1);
    const hosts = server.children();
    const load = Array.from({ length: 200 }, async (_, i) => {
      await delay(i * 5);
      const response = await fetch(`${server.restUrl}/v2/models/counter/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs: [{ name: 'input', datatype: 'FP32', shape: [1], data: [7] }] }),
      });
      return response.status;
    });
    await delay(100);
    const victims = hosts.filter((host) => isRunning(host));
    process.kill((victims[0] as { pid: number }).pid, 'SIGKILL');
    const outcomes = await Promise.all(
      streams.map(async (stream) => {
        const sum = await Promise.race([stream.add(2), stream.ended.then(() => undefined)]);
        return sum ?? { code: await stream.ended, text: stream.text };
      }),
    );
    const lost = outcomes.filter((outcome) => typeof outcome === 'object');
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(6);
    for (const outcome of lost)
      expect(outcome).toMatchObject({ code: 14, text: expect.stringMatching(/host/) as string });
    expect(outcomes.filter((outcome) => typeof outcome === 'number').every((sum) => sum === 3)).toBe(true);
    const statuses = await Promise.all(load);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(150);
    for (const stream of streams) await stream.close();
    while (server.children().length < hosts.length) await delay(50);
    const again = new OpenStream(server.grpcAddress, 'counter');
    expect(await again.add(4)).toBe(4);
    await again.close();
  });
});

describe('the server', () => {
  it('refuses a port in use with one clear line and exit code 1', async () => {
    await using server = await startServer();
    const flags = ['--port', String(server.grpcPort), '--log_level', 'error'];
    await expect(startServer({ flags, readyMs: 20_000 })).rejects.toThrow(
      new RegExp(
        `\\(exit code 1\\):\\nmillrace: gRPC: 127\\.0\\.0\\.1:${server.grpcPort} is in use by another process; --port .*\\n$`,
      ),
    );
  });

  it('gives back what sessions and cancelled calls held', async () => {
    await using server = await startServer({ flags: ['--hosts', '1'] });
    const round = async (): Promise<void> => {
      const streams = Array.from({ length: 50 }, () => new OpenStream(server.grpcAddress, 'counter'));
      await Promise.all(streams.map((stream) => stream.add(1)));
      await Promise.all(streams.map((stream, i) => (i % 5 === 0 ? stream.cancel() : stream.close())));
    };
    await round();
    const sockets = openSockets(server.pid);
    for (let i = 0; i < 10; i++) await round();
    await expect.poll(() => openSockets(server.pid)).toBeLessThanOrEqual(sockets);
    const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
    expect(metrics).toMatch(/^ovms_current_graphs\{name="counter"\} 0$/m);
  });
});
