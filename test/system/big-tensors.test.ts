import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { GrpcClient } from '../../src/client/index.ts';
import { decodeStreamResponse, encodeInferRequest, joinParts } from '../../src/protocol/wire/infer-codec.ts';
import { ROOT } from '../support/paths.ts';
import { startServer } from '../support/start-server.ts';

const ROUNDS = 12;
const same = (bytes: Buffer): Buffer => bytes;

/** Sends random tensors of many sizes on one stream, several ahead of their answers; how many came back wrong. */
async function echo(address: string, seed: number): Promise<number> {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
  });
  const call = client.makeBidiStreamRequest('/inference.GRPCInferenceService/ModelStreamInfer', same, same);
  const expected: Buffer[] = [];
  let wrong = 0;
  const done = new Promise<void>((resolve, reject) => {
    call.on('error', reject);
    call.on('end', resolve);
  });
  call.on('data', (bytes: Buffer) => {
    const tensors = decodeStreamResponse(bytes).response?.outputs ?? [];
    for (const tensor of tensors) if (!expected.shift()?.equals(tensor.data)) wrong++;
    if (tensors.length === 0) wrong++;
  });
  for (let round = 0; round < ROUNDS; round++) {
    const inputs = [0, 1].map((i) => {
      const data = randomBytes([700_000, 3_000_001, 40, 262_144, 9_000_000, 100_000][(round + seed + i) % 6] as number);
      expected.push(data);
      return { name: `INPUT${i}`, datatype: 'UINT8', shape: [data.length], data } as const;
    });
    const message = joinParts(encodeInferRequest({ servable: 'identity', version: '', id: '', inputs, outputs: [] }));
    if (!call.write(message)) await new Promise((resolve) => call.once('drain', resolve));
  }
  call.end();
  await done;
  client.close();
  return wrong + expected.length;
}

/** As many calls one after another of one client, each with other bytes; how many came back wrong. */
async function call(address: string, servable: string, input: string, seed: number): Promise<number> {
  using client = new GrpcClient({ address, ownConnection: true });
  let wrong = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const data = randomBytes([700_000, 2_500_001, 40, 262_144, 33_000, 1_900_000][(round + seed) % 6] as number);
    const inputs = [{ name: input, datatype: 'UINT8', shape: [data.length], data }] as const;
    const { outputs } = await client.infer({ model: servable, inputs });
    if (outputs.length !== 1 || !data.equals(outputs[0]?.data ?? Buffer.alloc(0))) wrong++;
  }
  return wrong;
}

describe('big tensors', () => {
  it('come back as they were sent, of a model and a graph and from many clients, though memory is used again', async () => {
    const models = [{ config: { name: 'model', base_path: join(ROOT, 'test/fixtures/models/identity_uint8.onnx') } }];
    const graphs = [{ name: 'graph', base_path: join(ROOT, 'graphs/identity') }];
    const config = { model_config_list: models, mediapipe_config_list: graphs };
    await using server = await startServer({ config, flags: ['--hosts', '2'] });
    const wrong = [0, 1, 2, 3, 4, 5].flatMap((seed) => [
      call(server.grpcAddress, 'model', 'INPUT', seed),
      call(server.grpcAddress, 'graph', 'INPUT0', seed + 3),
    ]);
    expect(new Set(await Promise.all(wrong))).toEqual(new Set([0]));
  });

  it.each([['2'], ['0']])('come back as they were sent, on many streams at once, with %s hosts', async (hosts) => {
    await using server = await startServer({ flags: ['--hosts', hosts] });
    const wrong = await Promise.all([0, 1, 2, 3, 4].map((seed) => echo(server.grpcAddress, seed)));
    expect(wrong).toEqual([0, 0, 0, 0, 0]);
  });
});
