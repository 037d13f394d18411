import { expect, test } from 'vitest';
import { createPrometheusMeter } from './meter.ts';

test('a counter and a gauge show their value from 0, under their labels', async () => {
  const meter = createPrometheusMeter();
  meter.counter('ovms_responses', 'Responses.', ['name', 'method']).with({ name: 'a"b', method: 'ModelInfer' });
  const graphs = meter.gauge('ovms_current_graphs', 'Graphs in process.', ['name']);
  graphs.with({ name: 'g' }).add(3);
  graphs.with({ name: 'g' }).add(-1);

  const { body, contentType } = await meter.render();
  expect(contentType).toContain('text/plain');
  expect(body).toContain('# TYPE ovms_responses counter');
  expect(body).toContain('ovms_responses{name="a\\"b",method="ModelInfer"} 0\n');
  expect(body).toContain('ovms_current_graphs{name="g"} 2\n');
});

test('a histogram counts a value in the first bucket whose bound is not below it', async () => {
  const meter = createPrometheusMeter();
  const series = meter.histogram('t_us', 'Time.', ['name'], [10, 18]).with({ name: 'm' });
  for (const value of [10, 11, 19]) series.observe(value);
  const { body } = await meter.render();
  for (const line of [
    't_us_bucket{name="m",le="10"} 1',
    't_us_bucket{name="m",le="18"} 2',
    't_us_bucket{name="m",le="+Inf"} 3',
    't_us_sum{name="m"} 40',
    't_us_count{name="m"} 3',
  ]) {
    expect(body).toContain(`${line}\n`);
  }
});

test('a value may be observed several times at once', async () => {
  const meter = createPrometheusMeter();
  meter.histogram('t_us', 'Time.', [], [10]).with({}).observe(4, 3);
  meter.summary('s_us', 'Time.', []).with({}).observe(4, 3);
  const { body } = await meter.render();
  for (const line of ['t_us_bucket{le="10"} 3', 't_us_sum 12', 't_us_count 3', 's_us_sum 12', 's_us_count 3']) {
    expect(body).toContain(`${line}\n`);
  }
});

test('a removed series is gone, and a new one under its labels starts at 0', async () => {
  const meter = createPrometheusMeter();
  const family = meter.counter('c', 'C.', ['name']);
  family.with({ name: 'm' }).add(5);
  family.remove({ name: 'm' });
  expect((await meter.render()).body).not.toContain('c{name="m"}');
  family.with({ name: 'm' });
  expect((await meter.render()).body).toContain('c{name="m"} 0');
});

test('a label that was not declared, and a name registered twice, are refused', () => {
  const meter = createPrometheusMeter();
  const family = meter.counter('c', 'C.', ['name']);
  expect(() => family.with({ nmae: 'm' })).toThrow('no label "nmae"');
  expect(() => meter.gauge('c', 'C.', [])).toThrow('already');
});

test('a label may be left out', async () => {
  const meter = createPrometheusMeter();
  meter.counter('c', 'C.', ['name', 'version']).with({ name: 'm' });
  expect((await meter.render()).body).toContain('c{name="m"} 0');
});

test("the process's own metrics come with it", async () => {
  expect((await createPrometheusMeter().render()).body).toContain('process_cpu_seconds_total');
});
