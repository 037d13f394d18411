import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ModelSpec } from '../servable-spec.ts';
import { loadOvmsConfig, type OvmsConfig } from './ovms-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scheduling-'));
  await writeFile(join(folder, 'm.onnx'), 'x');
});
afterEach(() => rm(folder, { recursive: true }));

async function load(more: object, rest: object = {}): Promise<OvmsConfig> {
  const path = join(folder, 'config.json');
  const model_config_list = [{ config: { name: 'm', base_path: 'm.onnx', ...more } }];
  await writeFile(path, JSON.stringify({ model_config_list, ...rest }));
  return loadOvmsConfig(path);
}
const spec = async (more: object): Promise<ModelSpec> => (await load(more)).specs[0] as ModelSpec;
const fault = async (more: object): Promise<string | undefined> => (await load(more)).broken[0]?.reason;

test('batching has what its entry says, and defaults for the rest', async () => {
  const { dynamicBatching } = await spec({ batching: { max_batch_size: 8 } });
  expect(dynamicBatching).toEqual({
    maxBatchSize: 8,
    preferredSizes: [],
    maxQueueDelayUs: 0,
    preservesOrder: false,
    priorityLevels: 0,
    defaultPriorityLevel: 0,
    queuePolicy: { onTimeout: 'reject', defaultTimeoutUs: 0, allowsTimeoutOverride: true, maxQueueSize: 0 },
    priorityQueuePolicies: {},
  });
  const all = await spec({
    batching: {
      max_batch_size: 8,
      preferred_batch_sizes: [8, 4],
      max_queue_delay_us: 100,
      preserve_ordering: true,
      priority_levels: 3,
      max_queue_size: 9,
      default_timeout_us: 1000,
      allow_timeout_override: false,
      timeout_action: 'delay',
    },
  });
  expect(all.dynamicBatching).toMatchObject({
    preferredSizes: [4, 8],
    maxQueueDelayUs: 100,
    preservesOrder: true,
    priorityLevels: 3,
    defaultPriorityLevel: 3,
    queuePolicy: { onTimeout: 'delay', defaultTimeoutUs: 1000, allowsTimeoutOverride: false, maxQueueSize: 9 },
  });
  expect((await spec({})).dynamicBatching).toBeUndefined();
});

test.each([
  [{}, /config\.batching\.max_batch_size|batching\.max_batch_size/],
  [{ max_batch_size: 0 }, /batching\.max_batch_size/],
  [
    { max_batch_size: 4, preferred_batch_sizes: [8] },
    /batching\.preferred_batch_sizes: 8 given, at most max_batch_size 4/,
  ],
  [
    { max_batch_size: 4, default_priority_level: 1 },
    /batching\.default_priority_level: 1 given, at most priority_levels 0/,
  ],
  [{ max_batch_size: 4, max_delay: 5 }, /max_delay/],
])('batching %j is refused', async (batching, message) => {
  expect(await fault({ batching })).toMatch(message);
});

test('a model is in every host, unless it batches, is large, is for a GPU or its entry says otherwise', async () => {
  expect((await spec({})).instances).toBeUndefined();
  expect((await spec({ batching: { max_batch_size: 2 } })).instances).toBe(1);
  expect((await spec({ target_device: 'GPU' })).instances).toBe(1);
  expect((await spec({ instances: 3, batching: { max_batch_size: 2 } })).instances).toBe(3);
  await truncate(join(folder, 'm.onnx'), 65 * 2 ** 20);
  expect((await spec({})).instances).toBe(1);
  expect((await spec({ instances: 2 })).instances).toBe(2);
  expect(await fault({ instances: 0 })).toMatch(/instances/);
});

test('limits of rates', async () => {
  expect((await spec({ rate_limit: { max_requests_per_second: 0.5 } })).requestLimit).toEqual({
    maxPerSecond: 0.5,
    maxAtOnce: 0,
  });
  expect((await spec({ rate_limit: { max_concurrent_requests: 4 } })).requestLimit).toEqual({
    maxPerSecond: 0,
    maxAtOnce: 4,
  });
  expect(await fault({ rate_limit: { max_requests_per_second: 0 } })).toMatch(/max_requests_per_second/);
});

test('a graph with a host of its own takes no copy of a model that few hosts load', async () => {
  const session =
    'node { calculator: "OpenVINOModelServerSessionCalculator" output_side_packet: "SESSION:s" node_options { ' +
    '[type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "m" } } }';
  await writeFile(join(folder, 'graph.pbtxt'), session);
  const graphs = { mediapipe_config_list: [{ name: 'g', base_path: '.', isolation: 'own' }] };
  const copies = async (more: object): Promise<unknown> =>
    (await load(more, graphs)).specs.flatMap((each) =>
      each.kind === 'graph' ? each.models.map(({ name }) => name) : [],
    );
  expect(await copies({})).toEqual(['m']);
  expect(await copies({ instances: 1 })).toEqual([]);
});
