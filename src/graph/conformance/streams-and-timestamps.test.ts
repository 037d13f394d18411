import { describe } from 'vitest';
import { testScenarios } from './scenario.ts';

const one = 'input_stream: "a" node { calculator: "Copy" input_stream: "a" output_stream: "b" }';
const read = 'input_stream: "a" node { calculator: "R" input_stream: "a" }';
const readBoth = 'input_stream: "a" input_stream: "b" node { calculator: "R" input_stream: "a" input_stream: "b" }';
const untimed = `input_stream: "a" node { calculator: "R" input_stream: "a" input_stream_handler { input_stream_handler: "BarrierInputStreamHandler" } }`;
const shift = (options: string) =>
  `input_stream: "a" node { calculator: "Shift" input_stream: "a" output_stream: "b" options { [x.ShiftOptions.ext] { ${options} } } }`;

describe('packets', () => {
  testScenarios([
    ...['Unset', 'Unstarted', 'OneOverPostStream', 'Done'].map((time) => ({
      name: `at ${time} are refused`,
      graph: read,
      steps: [[`!a@${time}`, 'close'], ['.!']] as const,
    })),
    {
      name: 'one at PreStream alone',
      graph: read,
      steps: [['a@PreStream', 'PreStream a=PreStream', 'close'], ['.']],
    },
    {
      name: 'one at PostStream alone',
      graph: read,
      steps: [['a@PostStream', 'PostStream a=PostStream', 'close'], ['.']],
    },
    {
      name: 'nothing after PreStream',
      graph: readBoth,
      steps: [['a@PreStream !a@1', 'close'], ['.!']],
    },
    {
      name: 'nothing at PostStream after others',
      graph: read,
      steps: [['a@1 !a@PostStream', '1 a=1', 'close'], ['.!']],
    },
    {
      name: 'nothing after PostStream',
      graph: readBoth,
      steps: [['a@PostStream !a@1', 'close'], ['.!']],
    },
    {
      name: 'at PostStream after bounds',
      graph: read,
      steps: [['a<5'], ['a@PostStream', 'PostStream a=PostStream', 'close'], ['.']],
    },
    {
      name: 'at any time are dropped once their only reader has closed',
      graph: read,
      steps: [['a@Max', 'Max a=Max', 'close'], ['a@Max a@1'], ['.']],
    },
    {
      name: 'never at an equal time',
      graph: read,
      steps: [['a@1 !a@1', '1 a=1', 'close'], ['.!']],
    },
    {
      name: 'never back in time',
      graph: read,
      steps: [['a@2 !a@1', '2 a=2', 'close'], ['.!']],
    },
    {
      name: 'at any time on an untimed stream',
      graph: untimed,
      steps: [
        ['a@2 a@2 a@1', '2 a=2', '2 a=2', '1 a=1'],
        ['.', 'close'],
      ],
    },
    {
      name: 'at Min, negative, and at Max',
      graph: read,
      steps: [['a@Min a@-5 a@Max', 'Min a=Min', '-5 a=-5', 'Max a=Max', 'close'], ['.']],
    },
    { name: 'below a bound that was set are refused', graph: read, steps: [['a<10 !a@9', 'close'], ['.!']] },
    { name: 'for a closed input are dropped', graph: read, steps: [['a.', 'close'], ['a@1'], ['.']] },
  ]);
});

describe('bounds of inputs', () => {
  testScenarios([
    { name: 'are not set back', graph: one, observe: ['b<'], steps: [['a<5', 'b<4'], ['a<5'], ['!a<4'], ['.']] },
    {
      name: 'that rise behind a queued packet tell nobody; the packet does',
      graph: 'input_stream: "a" input_stream: "c" node { calculator: "RB" input_stream: "a" input_stream: "c" }',
      steps: [['a@5'], ['a<20'], ['c<6', '5 a=5 c=-'], ['c<30', '19 a=- c=-'], ['.', '29 a=- c=-', 'close']],
    },
  ]);
});

describe('what one call settles', () => {
  testScenarios([
    { name: 'offset 0: t', graph: shift('by: 0'), observe: ['b<'], steps: [['a@7', 'b<7'], ['.']] },
    { name: 'offset 10: t + 10', graph: shift('by: 10'), observe: ['b<'], steps: [['a@7', 'b<17'], ['.']] },
    { name: 'offset -10: t - 10', graph: shift('by: -10'), observe: ['b<'], steps: [['a@7', 'b<-3'], ['.']] },
    {
      name: 'offset 0 at Max: everything',
      graph: shift('by: 0'),
      observe: ['b<'],
      steps: [['a@Max', 'b<PostStream'], ['.']],
    },
    {
      name: 'offset 0 at PreStream: nothing yet',
      graph: shift('by: 0'),
      observe: ['b<'],
      steps: [['a@PreStream'], ['.']],
    },
    {
      name: 'a packet that was sent: up to its time',
      graph: shift('by: 0 packet: 20'),
      observe: ['b<'],
      steps: [['a@7', 'b@20=p'], ['.']],
    },
    {
      name: 'an explicit bound, where it is the highest',
      graph: shift('by: 0 bound: 100'),
      observe: ['b<'],
      steps: [['a@7', 'b<99'], ['a@50'], ['a@200', 'b<200'], ['.']],
    },
    {
      name: 'nothing without an offset, packets and bounds',
      graph:
        'input_stream: "a" node { calculator: "Free" input_stream: "a" input_stream: "a" output_stream: "b" } node { calculator: "RB" input_stream: "b" }',
      steps: [['a@7', '7 b=7'], ['a<20'], ['.', 'close']],
    },
  ]);
});
