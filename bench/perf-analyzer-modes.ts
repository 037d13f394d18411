import { mkdir, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../test/support/paths.ts';
import type { ScratchFolder } from '../test/support/scratch-folder.ts';

/** A way in which perf_analyzer puts load, and what the table of docs/performance.md says of it. */
export interface Mode {
  readonly name: string;
  /** Where it connects to: `tls` are the same protocols of a server with a certificate. */
  readonly door: 'grpc' | 'http' | 'grpc-tls' | 'http-tls';
  readonly args: readonly string[];
  /** A file that it writes, and that must not be there before. */
  readonly writes?: string;
  /** It is of something that Triton does not have. */
  readonly onlyOurs?: boolean;
}

const FIXTURES = 'test/fixtures/models';
const unbatched = (type: string): string => `input [ { name: "INPUT" data_type: ${type} dims: [ -1 ] } ]
output [ { name: "OUTPUT" data_type: ${type} dims: [ -1 ] } ]
`;
const flag = (name: string): string =>
  `control_input { name: "${name}" control { kind: CONTROL_SEQUENCE_${name} int32_false_true: [0, 1] } }`;
const sequencesBy = (strategy: string): string => `max_batch_size: 4
sequence_batching {
  ${strategy} { }
  max_sequence_idle_microseconds: 10000000
  ${['START', 'READY', 'END'].map(flag).join('\n  ')}
  control_input { name: "CORRID" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_INT64 } }
  state { input_name: "STATE_IN" output_name: "STATE_OUT" data_type: TYPE_FP32 dims: [1] }
}
`;
const ENSEMBLE = `platform: "ensemble"
input [ { name: "IN" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ -1 ] } ]
ensemble_scheduling { step [
  { model_name: "plain" model_version: -1 input_map { key: "INPUT" value: "IN" } output_map { key: "OUTPUT" value: "HALF" } },
  { model_name: "plain" model_version: -1 input_map { key: "INPUT" value: "HALF" } output_map { key: "OUTPUT" value: "OUT" } }
] }
`;

/** Writes a Triton model repository with the models that the modes name. @returns its folder */
export async function writeRepository(scratch: ScratchFolder): Promise<string> {
  const models: readonly (readonly [name: string, file: string, from: string, config?: string])[] = [
    ['plain', 'model.onnx', `${FIXTURES}/identity_fp32.onnx`, unbatched('TYPE_FP32')],
    ['texts', 'model.onnx', `${FIXTURES}/identity_bytes.onnx`, unbatched('TYPE_STRING')],
    ['batching', 'model.onnx', 'bench/models/dense/1/model.onnx', 'max_batch_size: 16\ndynamic_batching { }\n'],
    ['direct', 'model.onnx', `${FIXTURES}/sequence_sum.onnx`, sequencesBy('direct')],
    ['oldest', 'model.onnx', `${FIXTURES}/sequence_sum.onnx`, sequencesBy('oldest')],
    ['words', 'model.js', 'models/words/words.js', 'backend: "millrace_runtime"\n'],
    ['graph', 'graph.pbtxt', 'graphs/identity/graph.pbtxt'],
  ];
  for (const [name, file, from, config] of models) {
    await scratch.copy(join(ROOT, from), `repository/${name}/1/${file}`);
    if (config !== undefined) await scratch.put(`repository/${name}/config.pbtxt`, config);
  }
  await scratch.put('repository/ensemble/config.pbtxt', ENSEMBLE);
  return join(scratch.path, 'repository');
}

/** Gives each input back, under the name that its output has. */
const PASS_ON = `
class TritonPythonModel:
    def execute(self, requests):
        return [
            pb.InferenceResponse([pb.Tensor("OUTPUT", pb.get_input_tensor_by_name(r, "INPUT").as_numpy())])
            for r in requests
        ]
`;
const DENSE = PASS_ON.replace('"OUTPUT"', '"y"').replace('"INPUT"', '"x"');
/** Adds up the inputs of each sequence. */
const SUM = `
class TritonPythonModel:
    def initialize(self, args):
        self.sums = {}

    def execute(self, requests):
        answers = []
        for r in requests:
            of = lambda name: pb.get_input_tensor_by_name(r, name).as_numpy()
            ready, key = int(of("READY").reshape(-1)[0]), int(of("CORRID").reshape(-1)[0])
            if int(of("START").reshape(-1)[0]):
                self.sums[key] = 0
            total = self.sums.get(key, 0) + of("INPUT") * ready
            self.sums[key] = total
            answers.append(pb.InferenceResponse([pb.Tensor("SUM", total.astype("float32"))]))
        return answers
`;
const SUM_IO = `input [ { name: "INPUT" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "SUM" data_type: TYPE_FP32 dims: [ 1 ] } ]
`;
const DENSE_CONFIG = `max_batch_size: 16
dynamic_batching { }
input [ { name: "x" data_type: TYPE_FP32 dims: [ 2048 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 2048 ] } ]
`;

/** Writes models of the same names for Triton's Python backend; `words` it has already. @returns their folder */
export async function writeTritonRepository(scratch: ScratchFolder): Promise<string> {
  const sequences = (strategy: string): string => `${withoutState(sequencesBy(strategy))}${SUM_IO}`;
  const models: readonly (readonly [name: string, program: string, config: string])[] = [
    ['plain', PASS_ON, unbatched('TYPE_FP32')],
    ['texts', PASS_ON, unbatched('TYPE_STRING')],
    ['batching', DENSE, DENSE_CONFIG],
    ['direct', SUM, sequences('direct')],
    ['oldest', SUM, sequences('oldest')],
  ];
  for (const [name, program, config] of models) {
    await scratch.put(`triton/${name}/1/model.py`, `${await pythonHead()}${program}`);
    await scratch.put(`triton/${name}/config.pbtxt`, `backend: "python"\n${config}`);
  }
  await scratch.put('triton/ensemble/config.pbtxt', ENSEMBLE);
  await mkdir(join(scratch.path, 'triton/ensemble/1'), { recursive: true });
  return join(scratch.path, 'triton');
}

/** Its models keep their sums themselves. */
function withoutState(config: string): string {
  return config.replace(/^ *state .*\n/m, '');
}

/** Its Python finds NumPy where the peer has installed it, see there. */
async function pythonHead(): Promise<string> {
  const home =
    process.env['PEERS_HOME'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace-peers');
  const lib = join(home, 'triton/venv/lib');
  const [version = ''] = await readdir(lib).catch(() => []);
  return `import sys\nsys.path.insert(0, "${join(lib, version, 'site-packages')}")\nimport triton_python_backend_utils as pb\n`;
}

/** Every mode of perf_analyzer 2.51 that is for a KServe v2 server. @param ca of the server with TLS */
export async function modes(scratch: ScratchFolder, ca: string): Promise<Mode[]> {
  const data = await scratch.put(
    'data.json',
    '{"data":[{"INPUT":{"content":[1.5,2.5,3.5,4.5],"shape":[4]}},{"INPUT":{"content":[-1.0,0.5,0.0,2.0],"shape":[4]}}]}',
  );
  const sequence = (...values: string[]): string => `[${values.map((value) => `{"INPUT":[${value}]}`).join(',')}]`;
  const steps = await scratch.put('sequences.json', `{"data":[${sequence('1.0', '2.0')},${sequence('3.0', '4.0')}]}`);
  const intervals = await scratch.put('intervals.txt', '20000\n40000\n10000\n');
  const exported = join(scratch.path, 'profile.json');
  const plain = ['-m', 'plain', '--shape', 'INPUT:4'];
  const words = ['-m', 'words', '--shape', 'prompt:1', '--string-data', 'to be or not to be', '--streaming'];
  const shared = [...plain, '--shared-memory', 'system', '--output-shared-memory-size', '1024'];
  const sequences = ['--sequence-length', '5'];
  return [
    { name: 'gRPC, one at a time', door: 'grpc', args: plain },
    { name: 'gRPC, concurrency 1 to 4', door: 'grpc', args: [...plain, '--concurrency-range', '1:4:1'] },
    { name: 'gRPC, asynchronous', door: 'grpc', args: [...plain, '-a', '--concurrency-range', '4'] },
    { name: 'gRPC, gzip', door: 'grpc', args: [...plain, '--grpc-compression-algorithm', 'gzip'] },
    { name: 'gRPC, deflate', door: 'grpc', args: [...plain, '--grpc-compression-algorithm', 'deflate'] },
    {
      name: 'gRPC, TLS',
      door: 'grpc-tls',
      args: [...plain, '--ssl-grpc-use-ssl', '--ssl-grpc-root-certifications-file', ca],
    },
    { name: 'HTTP, binary tensors', door: 'http', args: plain },
    { name: 'HTTP, asynchronous', door: 'http', args: [...plain, '-a', '--concurrency-range', '4'] },
    {
      name: 'HTTP, JSON tensors (of one element)',
      door: 'http',
      // Of a tensor with more elements it writes the first only, which Triton refuses, too.
      args: ['-m', 'plain', '--shape', 'INPUT:1', '--input-tensor-format', 'json', '--output-tensor-format', 'json'],
    },
    { name: 'HTTPS', door: 'http-tls', args: [...plain, '--ssl-https-ca-certificates-file', ca] },
    { name: 'streams, a model', door: 'grpc', args: [...plain, '--streaming', '--concurrency-range', '4'] },
    {
      name: 'streams, a graph',
      door: 'grpc',
      args: ['-m', 'graph', '--shape', 'INPUT0:4', '--streaming'],
      onlyOurs: true,
    },
    { name: 'streams, decoupled', door: 'grpc', args: words },
    {
      name: 'streams, decoupled, growing',
      door: 'grpc',
      args: [
        ...words,
        '--periodic-concurrency-range',
        '1:4:1',
        '--request-period',
        '2',
        '--profile-export-file',
        exported,
      ],
      writes: exported,
    },
    {
      name: 'sequences over streams, direct',
      door: 'grpc',
      args: ['-m', 'direct', '--streaming', ...sequences, '--concurrency-range', '3'],
    },
    {
      name: 'sequences over streams, oldest',
      door: 'grpc',
      args: ['-m', 'oldest', '--streaming', ...sequences, '--concurrency-range', '3'],
    },
    {
      name: 'sequences, gRPC, at a rate',
      door: 'grpc',
      args: ['-m', 'direct', ...sequences, '--num-of-sequences', '3', '--request-rate-range', '30'],
    },
    {
      name: 'sequences, serial',
      door: 'grpc',
      args: [
        '-m',
        'direct',
        '--streaming',
        ...sequences,
        '--serial-sequences',
        '--num-of-sequences',
        '3',
        '--request-rate-range',
        '30',
      ],
    },
    {
      name: 'sequences, HTTP, ids of a range',
      door: 'http',
      args: ['-m', 'oldest', '--sync', ...sequences, '--sequence-id-range', '100:200', '--concurrency-range', '3'],
    },
    { name: 'sequences of a file', door: 'grpc', args: ['-m', 'direct', '--streaming', '--input-data', steps] },
    { name: 'shared memory, gRPC', door: 'grpc', args: shared },
    { name: 'shared memory, HTTP', door: 'http', args: shared },
    { name: 'shared memory, streams', door: 'grpc', args: [...shared, '--streaming'] },
    { name: 'request rate, constant', door: 'grpc', args: [...plain, '--request-rate-range', '30:60:30'] },
    {
      name: 'request rate, Poisson',
      door: 'http',
      args: [...plain, '--request-rate-range', '30', '--request-distribution', 'poisson'],
    },
    { name: 'intervals of a file', door: 'grpc', args: [...plain, '--request-intervals', intervals] },
    {
      name: 'binary search of concurrency',
      door: 'grpc',
      args: [...plain, '--concurrency-range', '1:4', '--binary-search', '-l', '2000'],
    },
    {
      name: 'binary search of rate',
      door: 'grpc',
      args: [...plain, '--request-rate-range', '20:60', '--binary-search', '-l', '2000'],
    },
    { name: 'data of a file', door: 'grpc', args: [...plain, '--input-data', data] },
    { name: 'zeros', door: 'http', args: [...plain, '--input-data', 'zero'] },
    { name: 'texts', door: 'http', args: ['-m', 'texts', '--shape', 'INPUT:2', '--string-length', '16'] },
    {
      name: 'batches of 4, dynamic batching',
      door: 'grpc',
      args: ['-m', 'batching', '-b', '4', '--concurrency-range', '4'],
    },
    { name: 'ensemble', door: 'grpc', args: ['-m', 'ensemble', '--shape', 'IN:4'] },
    { name: 'request parameter', door: 'grpc', args: [...plain, '--request-parameter', 'note:1:int'] },
    { name: 'a number of requests', door: 'grpc', args: [...plain, '--request-count', '100'] },
    {
      name: 'windows of a number of requests',
      door: 'grpc',
      args: [...plain, '--measurement-mode', 'count_windows', '--measurement-request-count', '50'],
    },
    { name: 'percentile 95', door: 'http', args: [...plain, '--percentile', '95'] },
  ];
}
