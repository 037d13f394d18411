import { describe } from 'vitest';
import { testScenarios } from './scenario.ts';

const node = (calculator: string, streams: string, more = '') =>
  `node { calculator: "${calculator}" ${streams} ${more} }`;
const options = (fields: string) => `options { [x.ShiftOptions.ext] { ${fields} } }`;

describe('bounds through graphs', () => {
  testScenarios([
    {
      name: 'a valve that only sets bounds lets what is downstream run, with that input empty',
      graph: [
        'input_stream: "a"',
        node('Valve', 'input_stream: "a" output_stream: "v"'),
        node('Copy', 'input_stream: "v" output_stream: "p"'),
        node('R', 'input_stream: "a" input_stream: "p"'),
      ].join(' '),
      steps: [
        ['a@1', '1 a=1 p=-'],
        ['a@2', '2 a=2 p=-'],
        ['a@3 a@4', '3 a=3 p=-', '4 a=4 p=-'],
        ['.', 'close'],
      ],
    },
    {
      name: 'a valve whose bounds lag by one holds back the last',
      graph: [
        'input_stream: "a"',
        node('Shift', 'input_stream: "a" output_stream: "v"', options('by: -1')),
        node('R', 'input_stream: "a" input_stream: "v"'),
      ].join(' '),
      steps: [['a@1'], ['a@2', '1 a=1 v=-'], ['a@3', '2 a=2 v=-'], ['.', '3 a=3 v=-', 'close']],
    },
    {
      name: 'a bound at t does not settle t, the packet at t does',
      graph: `input_stream: "a" input_stream: "c" ${node('R', 'input_stream: "a" input_stream: "c"')}`,
      steps: [['a@3'], ['c<3'], ['c@3', '3 a=3 c=3'], ['.', 'close']],
    },
    {
      name: 'mere bounds do not call a node without processing of bounds',
      graph: `input_stream: "a" ${node('R', 'input_stream: "a"')}`,
      steps: [['a<5'], ['a<10'], ['.', 'close']],
    },
    {
      name: 'mere bounds pass a node with an offset, uncalled',
      graph: ['input_stream: "a"', node('Copy', 'input_stream: "a" output_stream: "b"')].join(' '),
      observe: ['b<'],
      steps: [['a<5', 'b<4'], ['a@7', 'b@7=7'], ['.']],
    },
    {
      name: 'an offset forwards what is settled also when process sends nothing',
      graph: [
        'input_stream: "a"',
        node('Even', 'input_stream: "a" output_stream: "b"'),
        node('R', 'input_stream: "a" input_stream: "b"'),
      ].join(' '),
      steps: [
        ['a@1', '1 a=1 b=-'],
        ['a@2', '2 a=2 b=2'],
        ['a@3', '3 a=3 b=-'],
        ['.', 'close'],
      ],
    },
    {
      name: 'without an offset a dropped packet keeps downstream waiting for the next',
      graph: [
        'input_stream: "a"',
        node('Even', 'input_stream: "a" output_stream: "e"'),
        node('Free', 'input_stream: "e" output_stream: "b"'),
        node('R', 'input_stream: "a" input_stream: "b"'),
      ].join(' '),
      steps: [['a@1'], ['a@2', '1 a=1 b=-', '2 a=2 b=2'], ['a@3'], ['.', '3 a=3 b=-', 'close']],
    },
    {
      name: 'an explicit bound beats the offset in later calls',
      graph: [
        'input_stream: "a"',
        node('Shift', 'input_stream: "a" output_stream: "b"', options('bound: 10000')),
        node('RB', 'input_stream: "b"'),
      ].join(' '),
      steps: [['a@0', '9999 b=-'], ['a@5'], ['.', 'close']],
    },
    {
      name: 'frames wait for the bound of a stream of settings, which is seen only as far as frames are settled',
      graph: [
        'input_stream: "frames" input_stream: "settings"',
        node('Copy', 'input_stream: "frames" input_stream: "settings" output_stream: "out" output_stream: "used"'),
      ].join(' '),
      observe: ['out', 'used<'],
      steps: [
        ['settings@0=x'],
        ['frames@0', 'out@0=0', 'used@0=x'],
        ['settings<10000'],
        ['frames@10000', 'used<9999'],
        ['settings<20001', 'out@10000=10000', 'used<10000'],
        ['frames@20000', 'out@20000=20000', 'used<20000'],
        ['.'],
      ],
    },
    {
      name: 'what is held back until the end comes at the end; observers lag by one',
      graph: ['input_stream: "a"', node('Hold', 'input_stream: "a" output_stream: "b"')].join(' '),
      observe: ['b<'],
      steps: [
        ['a@1', 'b<0'],
        ['a@2', 'b@1=1'],
        ['a@5', 'b@2=2', 'b<4'],
        ['.', 'b@5=5'],
      ],
    },
    {
      name: 'a batch is not overtaken by the bounds behind it',
      graph: [
        'input_stream: "a"',
        node(
          'Copy',
          'input_stream: "a" output_stream: "b"',
          'input_stream_handler { options { [mediapipe.DefaultInputStreamHandlerOptions.ext] { batch_size: 3 } } }',
        ),
      ].join(' '),
      observe: ['b<'],
      steps: [
        ['a@1', 'b<0'],
        ['a@2'],
        ['a<20'],
        ['a@30', 'b@1=1', 'b@2=2', 'b@30=30'],
        ['a@40', 'b<39'],
        ['.', 'b@40=40'],
      ],
    },
  ]);
});

describe('a node that processes bounds', () => {
  const two = 'input_stream: "a" input_stream: "c"';
  const reader = (handler = '') => `${two} ${node('RB', 'input_stream: "a" input_stream: "c"', handler)}`;
  const handler = (name: string, more = '') =>
    `input_stream_handler { input_stream_handler: "${name}InputStreamHandler" ${more} }`;
  testScenarios([
    {
      name: 'is called once per settled step',
      graph: reader(),
      steps: [
        ['a<5'],
        ['c<3', '2 a=- c=-'],
        ['c<9', '4 a=- c=-'],
        ['c<20'],
        ['a<9', '8 a=- c=-'],
        ['.', '19 a=- c=-', 'close'],
      ],
    },
    {
      name: 'a bound t+1 is an empty set at t',
      graph: reader(),
      steps: [
        ['a<8 c<8', '7 a=- c=-'],
        ['.', 'close'],
      ],
    },
    {
      name: 'and for a packet with the other input empty',
      graph: reader(),
      steps: [['a@5'], ['c<6', '5 a=5 c=-'], ['.', 'close']],
    },
    {
      name: 'in one sync set of all inputs is as under Default',
      graph: reader(
        handler(
          'SyncSet',
          'options { [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: ":0" tag_index: ":1" } } }',
        ),
      ),
      steps: [['a<5'], ['c<3', '2 a=- c=-'], ['.', 'close']],
    },
    {
      name: 'in sync sets of one input each is called for each bound',
      graph: reader(
        handler(
          'SyncSet',
          'options { [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: ":0" } } }',
        ),
      ),
      steps: [
        ['a<5', '4 a=- c=-'],
        ['c<3', '2 a=- c=-'],
        ['.', 'close'],
      ],
    },
    {
      name: 'under Immediate is called for each bound',
      graph: reader(handler('Immediate')),
      steps: [
        ['a<5', '4 a=- c=-'],
        ['c<3', '2 a=- c=-'],
        ['c@9', '9 a=- c=9'],
        ['.', 'Max a=- c=-', 'Max a=- c=-', 'close'],
      ],
    },
    {
      name: 'has exactly one call for a packet at PostStream',
      graph: `input_stream: "a" ${node('RB', 'input_stream: "a"')}`,
      steps: [['a@PostStream', 'PostStream a=PostStream', 'close'], ['.']],
    },
  ]);
});
