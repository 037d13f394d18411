import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { configStatus } from '../support/repository-states.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/start-server.ts';
import { expectCase } from './ovms/expect-case.ts';
import { useOvmsServer } from './ovms/server.ts';
import { allOk, OVMS_FOLDER, STREAM_CASES } from './ovms/stream-case.ts';

const ovms = useOvmsServer();

it.each(STREAM_CASES)('$test $name, grpc-js', (streamCase) => expectCase(streamCase, ovms.client));

it('3 OVInferenceCalculatorWith2InputsSendSeparately, started by flags from the graph’s folder', async () => {
  await using folder = await ScratchFolder.create();
  await folder.copy(join(OVMS_FOLDER, 'graphs/sum_model.pbtxt'), 'graph.pbtxt');
  const model = { name: 'add', base_path: join(ROOT, 'test/fixtures/models/add.onnx') };
  await folder.put('subconfig.json', { model_config_list: [{ config: model }] });
  const flags = ['--model_name', 'my_graph', '--model_path', folder.path, '--hosts', '1'];
  await using server = await startServer({ flags });
  expect((await configStatus(server))['my_graph']).toMatchObject([{ version: '1', state: 'AVAILABLE' }]);
  using client = new KserveGrpc(server.grpcAddress);
  for (const streamCase of STREAM_CASES.filter(({ graph }) => graph === 'sum_model')) {
    await expectCase({ ...streamCase, graph: 'my_graph' }, client);
  }
});

it('OVMS stream cases, tritonclient', async () => {
  const input = { grpc: ovms.server.grpcAddress, cases: 'stream-cases.json' };
  expect(await runPython('test/conformance/ovms/run_cases.py', input)).toEqual(allOk(STREAM_CASES));
});
