import { describe, expect, test } from 'vitest';
import { recorder, startGraph, type TestRun } from '../test-kit.ts';

/** One recording node with inputs a, b, c under a policy. */
function start(handler: string, inputs = 'ab', processTimestampBounds = false): TestRun & { readonly calls: string[] } {
  const calls: string[] = [];
  const names = Array.from(inputs);
  const text = [
    ...names.map((name) => `input_stream: "${name}"`),
    'node { calculator: "R"',
    ...names.map((name) => `input_stream: "${name}"`),
    `input_stream_handler { ${handler} } }`,
  ].join(' ');
  return { ...startGraph(text, [recorder('R', calls, processTimestampBounds)]), calls };
}

const policy = (name: string, options = '') =>
  `input_stream_handler: "${name}InputStreamHandler" options { ${options === '' ? '' : `[mediapipe.${name}InputStreamHandlerOptions.ext] { ${options} }`} }`;

describe('Default', () => {
  test('waits until a time is settled on every input', async () => {
    const { calls, add, idle, finish } = start(policy('Default'));
    add('a', 1);
    await idle();
    expect(calls).toEqual([]);
    add('b', 2);
    await idle();
    expect(calls).toEqual(['1 a=1 b=-']);
    add('a', 2);
    await finish();
    expect(calls).toEqual(['1 a=1 b=-', '2 a=2 b=2', 'close']);
  });

  test('runs batches, and what is left at the end', async () => {
    const { calls, add, idle, finish } = start(policy('Default', 'batch_size: 2'), 'a');
    add('a', 1);
    await idle();
    expect(calls).toEqual([]);
    add('a', 2);
    add('a', 3);
    await idle();
    expect(calls).toEqual(['1 a=1', '2 a=2']);
    await finish();
    expect(calls).toEqual(['1 a=1', '2 a=2', '3 a=3', 'close']);
  });
});

describe('Immediate', () => {
  test('runs for each input by itself, and once when an input is done', async () => {
    const { calls, run, add, idle, finish } = start(policy('Immediate'));
    add('a', 5);
    add('b', 3);
    await idle();
    expect(calls.toSorted()).toEqual(['3 a=- b=3', '5 a=5 b=-']);
    run.closeInput('b');
    await idle();
    expect(calls[2]).toBe('6 a=- b=-');
    await finish();
    expect(calls.slice(3)).toEqual(['close']);
  });

  test('with bounds, tells at Max that an input is done', async () => {
    const { calls, run, add, idle, finish } = start(policy('Immediate'), 'ab', true);
    run.setInputBound('a', 10n);
    await idle();
    add('b', 20);
    run.closeInput('a');
    await idle();
    await finish();
    const max = 'Timestamp::Max() a=- b=-';
    expect(calls).toEqual(['9 a=- b=-', '20 a=- b=20', max, max, 'close']);
  });
});

describe('SyncSet', () => {
  test('each set goes by itself; inputs that are not listed form one more', async () => {
    const { calls, add, idle, finish } = start(
      policy('SyncSet', 'sync_set { tag_index: ":0" tag_index: ":2" }'),
      'abc',
    );
    add('a', 10);
    add('b', 30);
    await idle();
    expect(calls).toEqual(['30 a=- b=30 c=-']);
    add('c', 10);
    await idle();
    expect(calls[1]).toBe('10 a=10 b=- c=10');
    await finish();
    expect(calls.at(-1)).toBe('close');
  });

  test('an input in two sets is refused', () => {
    expect(() => start(policy('SyncSet', 'sync_set { tag_index: ":0" } sync_set { tag_index: ":0" }'))).toThrow(
      /two sync sets/,
    );
  });
});

describe('FixedSize', () => {
  test('keeps the newest packets of all inputs, late ones dropped too', async () => {
    const { calls, add, idle, finish } = start(policy('FixedSize', 'trigger_queue_size: 3 target_queue_size: 2'));
    for (let t = 0; t < 5; t++) add('a', t);
    for (let t = 0; t < 5; t++) add('b', t);
    await idle();
    await finish();
    expect(calls).toEqual(['3 a=3 b=3', '4 a=4 b=4', 'close']);
  });

  test('with fixed_min_size drops only when every input is long', async () => {
    const { calls, add, finish } = start(policy('FixedSize', 'fixed_min_size: true'));
    for (let t = 0; t < 4; t++) add('a', t);
    add('b', 0);
    await finish();
    expect(calls).toEqual(['0 a=0 b=0', '1 a=1 b=-', '2 a=2 b=-', '3 a=3 b=-', 'close']);
  });
});

test('EarlyClose closes as soon as one input is done', async () => {
  const { calls, run, add, idle } = start(policy('EarlyClose'));
  add('a', 1);
  run.closeInput('b');
  await idle();
  expect(calls).toEqual(['close']);
  run.closeInput('a');
  await run.waitUntilDone();
});

test('Barrier takes one packet of each, whatever their times and order', async () => {
  const { calls, add, idle, finish } = start(policy('Barrier'));
  add('a', 5);
  add('a', 5);
  await idle();
  expect(calls).toEqual([]);
  add('b', 9);
  add('b', 2);
  await finish();
  expect(calls).toEqual(['5 a=5 b=9', '2 a=5 b=2', 'close']);
});

test('Mux takes the input that the last one names', async () => {
  const { calls, add, idle, finish } = start(policy('Mux'), 'abc');
  add('a', 0);
  add('b', 1, 'b1');
  add('c', 1, 1);
  await idle();
  expect(calls).toEqual(['1 a=- b=b1 c=1']);
  add('c', 2, 0);
  await idle();
  expect(calls).toHaveLength(1);
  add('a', 3, 'a3');
  await idle();
  expect(calls[1]).toBe('2 a=- b=- c=0');
  await finish();
  expect(calls.at(-1)).toBe('close');
});

test('TimestampAlign shifts the others to the base', async () => {
  const { calls, add, idle, finish } = start(policy('TimestampAlign', 'timestamp_base_tag_index: ":0"'));
  add('a', 100);
  await idle();
  expect(calls).toEqual(['100 a=100 b=-']);
  add('b', 7);
  add('a', 110);
  add('a', 120);
  add('b', 17);
  await idle();
  expect(calls.slice(1)).toEqual(['110 a=110 b=7', '120 a=120 b=17']);
  await finish();
});
