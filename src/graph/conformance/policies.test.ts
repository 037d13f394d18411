import { describe } from 'vitest';
import { testScenarios } from './scenario.ts';

/** One node R (RB with bounds) with inputs of these names under a policy. */
function under(policy: string, inputs: string, reader = 'R', options = ''): string {
  const names = Array.from(inputs);
  const streams = names.map((name) => `input_stream: "${name}"`).join(' ');
  const extension =
    options === '' ? '' : `options { [mediapipe.${policy}InputStreamHandlerOptions.ext] { ${options} } }`;
  const handler = `input_stream_handler { input_stream_handler: "${policy}InputStreamHandler" ${extension} }`;
  return `${streams} node { calculator: "${reader}" ${streams} ${handler} }`;
}

describe('Default', () => {
  testScenarios([
    {
      name: 'waits until a time is settled on every input',
      graph: under('Default', 'ab'),
      steps: [['a@1'], ['b@2', '1 a=1 b=-'], ['a@2', '2 a=2 b=2'], ['.', 'close']],
    },
    {
      name: 'gives each time once, whichever input was early',
      graph: under('Default', 'abc'),
      steps: [['c@1 c@2 b@1'], ['a@2', '1 a=- b=1 c=1'], ['b@2', '2 a=2 b=2 c=2'], ['.', 'close']],
    },
    {
      name: 'empty inputs are let through when their streams end',
      graph: under('Default', 'ab'),
      steps: [['a@1 a@2'], ['b.', '1 a=1 b=-', '2 a=2 b=-'], ['.', 'close']],
    },
    {
      name: 'batches wait, and what is incomplete is flushed at the end, in order',
      graph: under('Default', 'a', 'R', 'batch_size: 2'),
      steps: [['a@1'], ['a@2', '1 a=1', '2 a=2'], ['a@3'], ['.', '3 a=3', 'close']],
    },
    {
      name: 'batches are of input sets, not of packets',
      graph: under('Default', 'ab', 'R', 'batch_size: 2'),
      steps: [['a@1 b@1'], ['a@2'], ['b@3', '1 a=1 b=1', '2 a=2 b=-'], ['.', '3 a=- b=3', 'close']],
    },
  ]);
});

describe('Immediate', () => {
  testScenarios([
    {
      name: 'any packet makes it ready; an input that becomes done calls once more',
      graph: under('Immediate', 'ab'),
      steps: [['b@9', '9 a=- b=9'], ['a@3', '3 a=3 b=-'], ['a.', '10 a=- b=-'], ['b<20'], ['b.', 'close'], ['.']],
    },
    {
      name: 'nothing new is not ready again',
      graph: under('Immediate', 'ab'),
      steps: [['a@1', '1 a=1 b=-'], ['b<1'], ['a<2'], ['.', '1 a=- b=-', 'close']],
    },
    {
      name: 'with bounds every settled step calls, done inputs are shown at Max',
      graph: under('Immediate', 'ab', 'RB'),
      steps: [
        ['a<5', '4 a=- b=-'],
        ['b@2', '2 a=- b=2'],
        ['a.', 'Max a=- b=-'],
        ['b@7', '7 a=- b=7'],
        ['b.', 'Max a=- b=-', 'close'],
        ['.'],
      ],
    },
  ]);
});

describe('SyncSet', () => {
  const sets =
    'sync_set { tag_index: ":0" tag_index: ":2" tag_index: ":4" } sync_set { tag_index: ":1" tag_index: ":3" }';
  const steps = [
    ['a@10 c@10'],
    ['e@10', '10 a=10 b=- c=10 d=- e=10'],
    ['b@5'],
    ['d<6', '5 a=- b=5 c=- d=- e=-'],
    ['a@30 c@30 a@40 c@40'],
    ['e@40', '30 a=30 b=- c=30 d=- e=-', '40 a=40 b=- c=40 d=- e=40'],
    ['.', 'close'],
  ] as const;
  testScenarios([
    { name: 'sets go each by itself', graph: under('SyncSet', 'abcde', 'R', sets), steps },
    {
      name: 'inputs that are in no set make one more, with equal results',
      graph: under('SyncSet', 'abcde', 'R', 'sync_set { tag_index: ":0" tag_index: ":2" tag_index: ":4" }'),
      steps,
    },
    {
      name: 'a set of one input does not wait for others',
      graph: under('SyncSet', 'ab', 'R', 'sync_set { tag_index: ":1" }'),
      steps: [
        ['b@7', '7 a=- b=7'],
        ['a@2', '2 a=2 b=-'],
        ['.', 'close'],
      ],
    },
  ]);
});

describe('Barrier', () => {
  testScenarios([
    {
      name: 'takes one packet of each, whatever their times',
      graph: under('Barrier', 'ab'),
      steps: [['a@5 a@3'], ['b@9', '5 a=5 b=9'], ['b@1', '1 a=3 b=1'], ['.', 'close']],
    },
    { name: 'closes when any input is done', graph: under('Barrier', 'ab'), steps: [['a@1'], ['b.', 'close'], ['.']] },
    {
      name: 'closes only after the packets of the input that is done',
      graph: under('Barrier', 'ab'),
      steps: [['a@1 a.'], ['b@4', '1 a=1 b=4', 'close'], ['.']],
    },
  ]);
});

describe('EarlyClose', () => {
  testScenarios([
    {
      name: 'closes when any input is done',
      graph: under('EarlyClose', 'ab'),
      steps: [['a@1'], ['b.', 'close'], ['.']],
    },
    {
      name: 'is Default before',
      graph: under('EarlyClose', 'ab'),
      steps: [['a@1'], ['b@1', '1 a=1 b=1'], ['a@2 b@3', '2 a=2 b=-'], ['a.', 'close'], ['.']],
    },
  ]);
});

describe('Mux', () => {
  testScenarios([
    {
      name: "gives the selected input's packet, drops the others up to the control's time",
      graph: under('Mux', 'abs'),
      steps: [['a@1 b@1 b@2'], ['s@1=1', '1 a=- b=1 s=1'], ['s@2=0'], ['a@2', '2 a=2 b=- s=0'], ['.', 'close']],
    },
    {
      name: 'has an empty input when the selected one is settled without a packet',
      graph: under('Mux', 'abs'),
      steps: [['s@5=0'], ['a@7', '5 a=- b=- s=0'], ['s@7=0', '7 a=7 b=- s=0'], ['.', 'close']],
    },
    {
      name: 'closes with the control, also with data left',
      graph: under('Mux', 'abs'),
      steps: [['a@9'], ['s.', 'close'], ['.']],
    },
  ]);
});

describe('FixedSize', () => {
  testScenarios([
    {
      name: 'keeps the newest, and drops late packets below them',
      graph: under('FixedSize', 'ab', 'R', 'trigger_queue_size: 3 target_queue_size: 2'),
      steps: [['a@0 a@1 a@2'], ['b@0'], ['b@1', '1 a=1 b=1'], ['b@2', '2 a=2 b=2'], ['.', 'close']],
    },
    {
      name: 'with fixed_min_size drops only when every input is long',
      graph: under('FixedSize', 'ab', 'R', 'fixed_min_size: true'),
      steps: [['a@0 a@1 a@2'], ['b@0', '0 a=0 b=0'], ['.', '1 a=1 b=-', '2 a=2 b=-', 'close']],
    },
  ]);
});

describe('TimestampAlign', () => {
  testScenarios([
    {
      name: 'passes the base alone until all have begun, then a constant difference of clocks disappears',
      graph: under('TimestampAlign', 'ab', 'R', 'timestamp_base_tag_index: ":0"'),
      steps: [
        ['a@100', '100 a=100 b=-'],
        ['b@7'],
        ['a@110', '110 a=110 b=7'],
        ['a@120'],
        ['b@17', '120 a=120 b=17'],
        ['.', 'close'],
      ],
    },
  ]);
});
