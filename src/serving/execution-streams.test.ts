import { expect, test } from 'vitest';
import { createPrometheusMeter } from '../observability/meter.ts';
import { countExecutionStreams } from './execution-streams.ts';
import type { Entry } from './repository.ts';

const entryOf = (kind: Entry['kind'], name: string, readyHosts?: number): Entry =>
  ({ kind, name, version: '1', current: readyHosts === undefined ? undefined : { readyHosts } }) as Entry;

test('runs that are possible, and those under way, which are no more; of models alone, while they are there', async () => {
  const meter = createPrometheusMeter();
  let entries = [entryOf('model', 'm', 2), entryOf('model', 'waiting'), entryOf('graph', 'g', 1)];
  let pending = 1;
  countExecutionStreams(
    meter,
    () => entries,
    () => pending,
  );
  const lines = async () => {
    const { body } = await meter.render();
    return body.split('\n').filter((line) => /^ovms_(streams|infer_req)/.test(line));
  };
  const labels = (name: string) => `{name="${name}",version="1"}`;
  expect(await lines()).toEqual([
    `ovms_streams${labels('m')} 2`,
    `ovms_streams${labels('waiting')} 0`,
    `ovms_infer_req_queue_size${labels('m')} 2`,
    `ovms_infer_req_queue_size${labels('waiting')} 0`,
    `ovms_infer_req_active${labels('m')} 1`,
    `ovms_infer_req_active${labels('waiting')} 0`,
  ]);
  pending = 7;
  entries = [entryOf('model', 'm', 2)];
  expect(await lines()).toEqual([
    `ovms_streams${labels('m')} 2`,
    `ovms_infer_req_queue_size${labels('m')} 2`,
    `ovms_infer_req_active${labels('m')} 2`,
  ]);
});
