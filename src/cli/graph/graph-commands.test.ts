import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../main.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const shipped = (name: string): string => join(ROOT, 'graphs', name, 'graph.pbtxt');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-graph-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** What a command prints, with the test's folder taken off the paths. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const seen = { out: '', err: '' };
  const code = await main(args, {
    variables: {},
    stdout: (text) => (seen.out += text),
    stderr: (text) => (seen.err += text),
    onSignal: () => () => {},
    loadServer: () => Promise.reject(new Error('not expected to start')),
  });
  const short = (text: string): string => text.replaceAll(`${folder}/`, '');
  return { code, out: short(seen.out), err: short(seen.err) };
}

describe('graph check', () => {
  test('shipped graphs have no faults', async () => {
    const { code, out } = await run('graph', 'check', shipped('counter'), shipped('anomaly'));
    expect(code).toBe(0);
    expect(out).toMatch(/counter\/graph.pbtxt: no faults \(1 node, 2 streams\)\n.*anomaly\/graph.pbtxt: no faults/);
  });

  test('all faults are told at once with their places, those of a subgraph once and in its own file', async () => {
    await write(
      'sub.pbtxt',
      'type: "Sub"\ninput_stream: "IN:x"\n\nnode { calculator: "CountrCalculator" input_stream: "x" }',
    );
    const path = await write(
      'graph.pbtxt',
      `input_stream: "video"
       node { calculator: "Sub" name: "one" input_stream: "IN:video" }
       node { calculator: "Sub" name: "two" input_stream: "IN:video" }
       node { calculator: "PassThroughCalculator" input_stream: "vdeo" output_stream: "c" }`,
    );
    const { code, out, err } = await run('graph', 'check', path);
    expect(code).toBe(1);
    expect(out.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^graph.pbtxt:4: .*"vdeo".* has no producer; did you mean "video"\?$/),
      'sub.pbtxt:4: no calculator is named "CountrCalculator"; did you mean "CounterCalculator"?',
    ]);
    expect(err).toBe('millrace: 2 faults\n');
  });

  test('a file that is not there is a fault', async () => {
    const { code, out } = await run('graph', 'check', join(folder, 'none.pbtxt'));
    expect(code).toBe(1);
    expect(out).toMatch(/^cannot read graph file none.pbtxt: /);
  });
});

describe('graph check of what is no graph', () => {
  test('of a folder, all graph files below it', async () => {
    await mkdir(join(folder, 'inner'));
    const node = 'node { calculator: "PassThroughCalculator" input_stream: "a" output_stream: "b" }';
    await write('inner/one.pbtxt', `input_stream: "a" ${node}`);
    await write('two.pbtxt', node);
    const { code, out } = await run('graph', 'check', folder);
    expect(code).toBe(1);
    expect(out).toMatch(/^inner\/one.pbtxt: no faults \(1 node, 2 streams\)\ntwo.pbtxt:1: .*"a".* has no producer/);
  });

  test.each([
    ['empty.pbtxt', '', 'empty.pbtxt: it has no nodes\n'],
    ['open.pbtxt', 'node {\n  name: "a\n}', 'open.pbtxt:2: the string that begins with "a is not closed in its line\n'],
  ])('%s', async (name, text, message) => {
    expect(await run('graph', 'check', await write(name, text))).toEqual({
      code: 1,
      out: message,
      err: 'millrace: 1 fault\n',
    });
  });

  test('a folder without any is a fault beside others', async () => {
    await mkdir(join(folder, 'none'));
    const { code, out, err } = await run('graph', 'check', join(folder, 'none'), await write('bad.pbtxt', 'nod {}'));
    expect({ code, err }).toEqual({ code: 1, err: 'millrace: 2 faults\n' });
    expect(out).toMatch(/^none: the folder has no graph file \(\*.pbtxt\)\nbad.pbtxt:1: .*did you mean "node"/);
  });
});

describe('graph draw', () => {
  test('of a folder, its graph.pbtxt; Mermaid by the ending of the file', async () => {
    const path = join(folder, 'graph.mmd');
    expect((await run('graph', 'draw', dirname(shipped('anomaly')), '-o', path)).code).toBe(0);
    expect(await readFile(path, 'utf8')).toMatch(/^flowchart TB\n/);
  });

  test('as Mermaid: inputs, nodes, outputs; back edges and side packets have lines of their own', async () => {
    const { code, out } = await run('graph', 'draw', shipped('anomaly'));
    expect(code).toBe(0);
    expect(out).toContain('flowchart TB\n  in0(["signal<br>input<br>Tensor"])\n');
    expect(out).toContain('  n4["OpenVINOInferenceCalculator"]\n');
    for (const line of ['n4 ==>|"next_state"| n2', 'n0 -.->|"session"| n4', 'n4 -->|"scores"| out0']) {
      expect(out).toContain(`  ${line}\n`);
    }
  });

  test('as SVG, chosen by the name of the file', async () => {
    const path = join(folder, 'graph.svg');
    expect(await run('graph', 'draw', shipped('anomaly'), '-o', path)).toEqual({ code: 0, out: '', err: '' });
    const svg = await readFile(path, 'utf8');
    expect(svg).toContain('<svg ');
    for (const name of ['signal', 'PreviousLoopbackCalculator', 'next_state']) expect(svg).toContain(name);
  });

  test('a graph with faults is not drawn', async () => {
    const { code, out, err } = await run('graph', 'draw', await write('bad.pbtxt', 'node { calculator: "Nothing" }'));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^bad.pbtxt:1: no calculator is named "Nothing"/);
  });
});

describe('graph run', () => {
  test.each(['run', 'trace'])('%s without packets says which inputs the graph has', async (command) => {
    const args = command === 'trace' ? ['trace'] : ['graph', command];
    const { code, out, err } = await run(...args, shipped('counter'));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('nothing feeds them: "input" (Tensor FP32 [1]); give --input input=FILE');
  });

  test('an input that is left out is named, and the graph runs', async () => {
    const node = 'node { calculator: "MergeCalculator" input_stream: "a" input_stream: "b" output_stream: "o" }';
    const graph = await write('two.pbtxt', `input_stream: "a" input_stream: "b" output_stream: "o" ${node}`);
    const input = await write('in.jsonl', '{"timestamp": 1, "value": 7}');
    expect(await run('graph', 'run', graph, '--input', `a=${input}`)).toEqual({
      code: 0,
      out: '{"stream":"o","timestamp":1,"value":7}\n',
      err: 'millrace: nothing feeds the input "b"\n',
    });
  });

  test('a side packet that is not given is named', async () => {
    const node =
      'node { calculator: "GateCalculator" input_side_packet: "ALLOW:open" input_stream: "a" output_stream: "o" }';
    const graph = await write('gate.pbtxt', `input_stream: "a" input_side_packet: "open" output_stream: "o" ${node}`);
    const input = await write('in.jsonl', '{"value": 7}');
    const notes = { code: 0, out: '', err: 'millrace: the side packet "open" (bool) is not given\n' };
    expect(await run('graph', 'run', graph, '--input', `a=${input}`)).toEqual(notes);
  });

  const tensor = (value: number): string => `"tensor":{"datatype":"FP32","shape":[1],"data":[${value}]}`;

  test('feeds lines of JSON and prints output packets in the same form', async () => {
    const lines = [`{${tensor(2)}}`, `{"timestamp":5,${tensor(0.5)}}`, '', `{${tensor(1)}}`];
    const input = await write('in.jsonl', lines.join('\n'));
    expect(await run('graph', 'run', shipped('counter'), '--input', `input=${input}`)).toEqual({
      code: 0,
      out: [
        `{"stream":"output","timestamp":0,${tensor(2)}}`,
        `{"stream":"output","timestamp":5,${tensor(2.5)}}`,
        `{"stream":"output","timestamp":6,${tensor(3.5)}}`,
        '',
      ].join('\n'),
      err: '',
    });
  });

  test('several inputs are fed in the order of time; values, side packets and inner streams', async () => {
    const graph = await write(
      'gate.pbtxt',
      `input_stream: "v" input_stream: "w" output_stream: "o"
       node { calculator: "PassThroughCalculator" input_stream: "v" output_stream: "inner" }
       node { calculator: "GateCalculator" input_stream: "inner" input_stream: "ALLOW:w" output_stream: "o" }`,
    );
    const v = await write('v.jsonl', '{"timestamp":1,"value":"x"}\n{"timestamp":3,"value":{"y":[1,2]}}');
    const w = await write('w.jsonl', '{"timestamp":1,"value":false}\n{"timestamp":3,"value":true}');
    const inputs = ['--input', `v=${v}`, '--input', `w=${w}`];
    expect((await run('graph', 'run', graph, ...inputs)).out).toBe(
      '{"stream":"o","timestamp":3,"value":{"y":[1,2]}}\n',
    );
    expect((await run('graph', 'run', graph, ...inputs, '--observe', 'inner')).out).toBe(
      '{"stream":"inner","timestamp":1,"value":"x"}\n{"stream":"inner","timestamp":3,"value":{"y":[1,2]}}\n',
    );
    const side = await write(
      'side.pbtxt',
      `input_stream: "t" output_stream: "o" input_side_packet: "s"
       node { calculator: "SidePacketToStreamCalculator" input_stream: "TICK:t" input_side_packet: "s" output_stream: "AT_TICK:o" }`,
    );
    const ticks = await write('t.jsonl', '{"value":0}');
    expect((await run('graph', 'run', side, '--input', `t=${ticks}`, '--side_packet', 's=7')).out).toBe(
      '{"stream":"o","timestamp":0,"value":7}\n',
    );
  });

  test('runs the models of a graph, on an image', async () => {
    const image = join(folder, 'image.png');
    await sharp({ create: { width: 64, height: 48, channels: 3, background: 'gray' } }).toFile(image);
    const { code, out, err } = await run('graph', 'run', shipped('detect'), '--input', `image=${image}`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ stream: 'detections', timestamp: 0, tensor: { datatype: 'FP32' } });
  });

  test('whole requests are lines as well', async () => {
    const inputs = '"inputs":[{"name":"INPUT0","datatype":"INT32","shape":[2],"data":[1,2]}]';
    const path = await write('requests.jsonl', `{"timestamp":9,${inputs}}`);
    const { out } = await run('graph', 'run', shipped('identity'), '--input', `request=${path}`);
    expect(out).toBe(
      '{"stream":"response","timestamp":9,"outputs":[{"name":"OUTPUT0","datatype":"INT32","shape":[2],"data":[1,2]}]}\n',
    );
  });

  test.each([
    ['{"value":1}', /^in.jsonl:1: the value 1 given, Tensor FP32 \[1\] expected\n$/],
    ['{"tensor":{"datatype":"FP32","shape":[2],"data":[1,2]}}', /^in.jsonl:1: .*shape/],
    ['{"tensr":1}', /^in.jsonl:1: unknown key "tensr"/],
    ['{', /^in.jsonl:1: /],
    [
      `{"timestamp":1,${tensor(1)}}\n{"timestamp":1,${tensor(1)}}`,
      /Current minimum expected timestamp is 2 but received 1/,
    ],
  ])('the line %s is refused with its place', async (line, message) => {
    const input = await write('in.jsonl', line);
    const { code, err } = await run('graph', 'run', shipped('counter'), '--input', `input=${input}`);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });

  test('inputs and streams that the graph does not have are refused by name', async () => {
    const input = await write('in.jsonl', '');
    const wrong = await run('graph', 'run', shipped('counter'), '--input', `inptu=${input}`);
    expect(wrong).toMatchObject({ code: 1, err: 'the graph has no input_stream "inptu"; did you mean "input"?\n' });
    const fed = ['graph', 'run', shipped('counter'), '--input', `input=${input}`];
    expect((await run(...fed, '--observe', 'x')).err).toMatch(/no stream "x"; it has /);
    expect((await run(...fed, '--side_packet', 'x=1')).err).toMatch(/it has no input_side_packet/);
    expect((await run('graph', 'run', shipped('counter'), '--input', `input=${input}x`)).err).toMatch(/^cannot read/);
  });
});

test('trace writes a Chrome trace of the run', async () => {
  const input = await write('in.jsonl', '{"tensor":{"datatype":"FP32","shape":[1],"data":[1]}}');
  const path = join(folder, 'trace.json');
  const { code, out, err } = await run('trace', shipped('counter'), '--input', `input=${input}`, '-o', path);
  expect({ code, out }).toEqual({ code: 0, out: '' });
  expect(err).toMatch(/^millrace: \d+ events in trace.json\n$/);
  const { traceEvents } = JSON.parse(await readFile(path, 'utf8')) as {
    traceEvents: { name: string; ph: string; args: Record<string, unknown> }[];
  };
  expect(traceEvents.filter(({ ph }) => ph === 'X').map(({ name }) => name)).toEqual(['Open', 'Process', 'Close']);
  expect(traceEvents).toContainEqual(expect.objectContaining({ name: 'output', ph: 'i', args: { timestamp: 0 } }));
});

test('replay prints what came of each case, in the form of the recordings', async () => {
  const graph =
    'input_stream: "a" output_stream: "b" node { calculator: "PassThroughCalculator" input_stream: "a" output_stream: "b" }';
  const steps = [
    ['start'],
    ['add', 'a', 'float', 0.1, 3],
    ['idle'],
    ['add', 'a', 'float', 1, 3],
    ['close_all'],
    ['done'],
  ];
  const cases = [
    { name: 'one', graph, observe: [['b', 'float', 'bounds']], steps },
    { name: 'refused', graph: 'node { calculator: "Nothing" }', steps: [] },
  ];
  const { code, out } = await run('graph', 'replay', await write('cases.json', JSON.stringify(cases)));
  expect(code).toBe(0);
  const failure = { class: 'ValueError', message: expect.stringContaining('"a"') as string };
  expect(JSON.parse(out)).toEqual([
    {
      name: 'one',
      expected: {
        streams: { b: [[3, 0.1]] },
        log: [
          ['start', 'ok', null],
          ['add', 'ok', null],
          ['idle', 'ok', { b: 1 }],
          ['add', 'ok', null],
          ['close_all', 'ok', null],
          ['done', 'error', failure],
        ],
      },
    },
    {
      name: 'refused',
      expected: {
        error: { at: 'initialize', class: 'RuntimeError', message: expect.stringContaining('Nothing') as string },
      },
    },
  ]);
});

describe('usage', () => {
  test.each(['check', 'draw', 'run', 'replay'])('graph %s --help', async (command) => {
    const { code, out } = await run('graph', command, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`Usage: millrace graph ${command} `);
  });

  test('help of the group and of trace', async () => {
    expect((await run('graph')).out).toContain('millrace graph check|draw|run|replay');
    expect((await run('trace', '-h')).out).toContain('Usage: millrace trace FILE');
    expect((await run('--help')).out).toContain('millrace graph --help');
  });

  test.each([
    [['graph', 'chek', 'x'], 'unknown command "graph chek"; did you mean "check"?'],
    [['graph', 'run'], 'graph run: a file is missing'],
    [['graph', 'run', 'a', 'b'], 'graph run: one file expected, 2 given'],
    [['graph', 'draw', 'x', '--fromat', 'svg'], 'did you mean "--format"?'],
    [['graph', 'draw', 'x', '--format', 'png'], '--format: "png" given, mermaid or svg expected'],
    [['graph', 'draw', 'x', '-o', 'x.png'], '"x.png" given; a name that ends in .svg, .mmd'],
    [['graph', 'draw', 'x', 'y'], '2 given (see millrace graph draw --help)'],
    [['graph', 'nothing'], '(see millrace graph --help)'],
    [['trace', 'x', '--format', 'png'], '(see millrace trace --help)'],
    [['graph', 'run', shipped('counter'), '--input', 'x'], '--input: "x" given, NAME=FILE expected'],
    [['trace', shipped('counter'), '--capacity', '0'], '--capacity: "0" given'],
  ])('%j is a usage error', async (args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
