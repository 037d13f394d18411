import { expect, test } from 'vitest';
import { createPrometheusMeter } from '../observability/meter.ts';
import { Telemetry } from './telemetry.ts';
import { tritonFailure } from './triton-metrics.ts';
import type { Entry } from './repository.ts';

const entry = (name: string, kind: Entry['kind']): Entry => ({
  name,
  version: '1',
  kind,
  current: undefined,
  next: undefined,
  brokenReason: '',
  isWanted: true,
  isUnloaded: false,
});

/** The samples of Triton's metrics, by name and labels; zeros left out. */
async function samples(meter: ReturnType<typeof createPrometheusMeter>): Promise<Record<string, number>> {
  const { body } = await meter.render();
  const lines = body.split('\n').filter((line) => line.startsWith('nv_') && !line.startsWith('nv_cpu'));
  const pairs = lines.map(
    (line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))] as const,
  );
  return Object.fromEntries(pairs.filter(([, value]) => value !== 0));
}

const timing = { batchSize: 3, requests: 2, queueNs: 4000, inputNs: 1000, inferNs: 5000, outputNs: 2000 };

test("a model's requests and runs are counted by Triton's names, each time the page is shown", async () => {
  const meter = createPrometheusMeter();
  const telemetry = new Telemetry(meter);
  const model = telemetry.of(entry('m', 'model'));
  expect(await samples(meter)).toEqual({});
  for (let request = 0; request < 3; request++) model.started();
  model.ran(timing);
  model.finished('gRPC', 9000, 'success');
  model.finished('REST', 9000, 'fail', 'QUEUE_FULL');
  const expected = {
    'nv_inference_request_success{model="m",version="1"}': 1,
    'nv_inference_request_failure{model="m",version="1",reason="REJECTED"}': 1,
    'nv_inference_count{model="m",version="1"}': 3,
    'nv_inference_exec_count{model="m",version="1"}': 1,
    'nv_inference_request_duration_us{model="m",version="1"}': 9,
    'nv_inference_queue_duration_us{model="m",version="1"}': 4,
    'nv_inference_compute_input_duration_us{model="m",version="1"}': 2,
    'nv_inference_compute_infer_duration_us{model="m",version="1"}': 10,
    'nv_inference_compute_output_duration_us{model="m",version="1"}': 4,
    'nv_inference_pending_request_count{model="m",version="1"}': 1,
  };
  expect(await samples(meter)).toEqual(expected);
  expect(await samples(meter)).toEqual(expected);
  model.finished('gRPC', 9000, 'success');
  expect(await samples(meter)).toMatchObject({ 'nv_inference_request_success{model="m",version="1"}': 2 });
});

test('a remembered response adds to success, queue and cache hits only', async () => {
  const meter = createPrometheusMeter();
  const use = { utilization: 0.5, entries: 1, hits: 1, misses: 1, evictions: 0 };
  const model = new Telemetry(meter, () => use).of(entry('m', 'model'));
  model.started();
  model.lookedUp(true, 3000);
  model.finished('gRPC', 5000, 'success');
  model.lookedUp(false, 7000);
  expect(model.statistics()).toMatchObject({
    success: { count: 1, ns: 5000 },
    queue: { count: 1, ns: 0 },
    cacheHit: { count: 1, ns: 3000 },
    cacheMiss: { count: 1, ns: 7000 },
    inferenceCount: 0,
    executionCount: 0,
    computeInfer: { count: 0, ns: 0 },
  });
  expect(await samples(meter)).toEqual({
    'nv_inference_request_success{model="m",version="1"}': 1,
    'nv_inference_request_duration_us{model="m",version="1"}': 5,
    'nv_cache_num_hits_per_model{model="m",version="1"}': 1,
    'nv_cache_num_misses_per_model{model="m",version="1"}': 1,
    'nv_cache_hit_duration_per_model{model="m",version="1"}': 3,
    'nv_cache_miss_duration_per_model{model="m",version="1"}': 7,
    nv_cache_util: 0.5,
    nv_cache_num_entries: 1,
    nv_cache_num_lookups: 2,
    nv_cache_num_hits: 1,
    nv_cache_num_misses: 1,
  });
});

test('responses of streams are counted by their place, and the first one timed', async () => {
  const meter = createPrometheusMeter();
  const runtime = new Telemetry(meter).of(entry('r', 'runtime'));
  runtime.streamed({ latencyUs: 150_000, previousUs: undefined }, 0, false);
  runtime.streamed({ latencyUs: 200_000, previousUs: 150_000 }, 1, false);
  runtime.streamed(undefined, 2, true);
  runtime.streamEnded(1, true);
  runtime.streamEnded(0, false);
  const none = { count: 0, ns: 0 };
  expect(runtime.statistics().responses).toMatchObject([
    { success: { count: 1, ns: 150_000_000 }, fail: { count: 1, ns: 0 }, cancel: none },
    { success: { count: 1, ns: 50_000_000 }, computeInfer: { count: 1, ns: 50_000_000 }, cancel: { count: 1, ns: 0 } },
    { success: none, emptyResponse: { count: 1, ns: 0 } },
  ]);
  expect(await samples(meter)).toMatchObject({
    'nv_inference_first_response_histogram_ms_bucket{model="r",version="1",le="500"}': 1,
    'nv_inference_first_response_histogram_ms_count{model="r",version="1"}': 1,
    'nv_inference_request_failure{model="r",version="1",reason="CANCELED"}': 1,
    'nv_inference_request_failure{model="r",version="1",reason="BACKEND"}': 1,
  });
});

test.each([
  ['QUEUE_TIMEOUT', 'REJECTED'],
  ['CANCELLED', 'CANCELED'],
  ['MODEL_FAILED', 'BACKEND'],
  ['WRONG_SHAPE', 'OTHER'],
] as const)('%s is a failure of kind %s', (reason, kind) => {
  expect(tritonFailure(reason)).toBe(kind);
});

test('the machine is measured', async () => {
  const meter = createPrometheusMeter();
  new Telemetry(meter);
  const { body } = await meter.render();
  const values = new Map(body.split('\n').map((line) => line.split(' ') as [string, string]));
  expect(Number(values.get('nv_cpu_memory_total_bytes'))).toBeGreaterThan(0);
  expect(Number(values.get('nv_cpu_memory_used_bytes'))).toBeGreaterThan(0);
  expect(Number(values.get('nv_cpu_utilization'))).toBeLessThanOrEqual(1);
});
