import { expect, it } from 'vitest';
import { runPython } from '../support/python.ts';
import { expectCase } from './ovms/expect-case.ts';
import { useOvmsServer } from './ovms/server.ts';
import { allOk, STREAM_CASES } from './ovms/stream-case.ts';

const ovms = useOvmsServer();

it.each(STREAM_CASES)('$test $name, grpc-js', (streamCase) => expectCase(streamCase, ovms.client));

it('OVMS stream cases, tritonclient', async () => {
  const input = { grpc: ovms.server.grpcAddress, cases: 'stream-cases.json' };
  expect(await runPython('test/conformance/ovms/run_cases.py', input)).toEqual(allOk(STREAM_CASES));
});
