import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { FakePipelineHosts } from '../../test/support/fake-pipeline-hosts.ts';
import { ScratchFolder } from '../../test/support/scratch-folder.ts';
import { until } from '../../test/support/until.ts';
import { MillraceError } from '../base/errors.ts';
import { silentLogger as logger } from '../base/logger.ts';
import { pipelineSchema, type PipelineRequest } from './common/pipeline-schema.ts';
import { OPERATION_TABLE, OPERATIONS, operateOnAll, type Operation, type SourceState } from './common/states.ts';
import { PipelineManager } from './pipeline-manager.ts';
import { PipelineStore } from './pipeline-store.ts';
import { parsePipelinesConfig } from './pipelines-config.ts';
import { ResultRing } from './result-ring.ts';

const closing: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each[Symbol.asyncDispose]();
});

function request(given: object = {}): PipelineRequest {
  return pipelineSchema.parse({ video_reference: '/v/a.mp4', model_id: 'detect', ...given });
}

function manage(config: object = {}, store?: PipelineStore, hosts = new FakePipelineHosts()) {
  const options = { config: parsePipelinesConfig(config), baseFolder: '/', store };
  const manager = new PipelineManager(options, hosts, logger);
  closing.push(manager);
  return { manager, hosts };
}

test('random commands get the answers of the table, and a terminated pipeline stays so', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...OPERATIONS), { maxLength: 12 }), async (commands) => {
      const { manager, hosts } = manage();
      const pipeline = await manager.create(request());
      let states: SourceState[] = ['RUNNING'];
      for (const operation of commands) {
        const expected = operateOnAll(operation, states);
        const answer = await ask(manager, pipeline.id, operation);
        if (operation === 'terminate') {
          expect(answer).toBe('done');
          states = ['ENDED'];
        } else {
          expect(answer).toBe(expected.answer);
          const [state] = states as [SourceState];
          const cell = OPERATION_TABLE[operation][state];
          if (cell.answer === 'done') states = [cell.next];
        }
        expect(pipeline.report.sources.map(({ state }) => state)).toEqual(states);
      }
      expect(hosts.runs).toHaveLength(1);
      await manager[Symbol.asyncDispose]();
    }),
    { numRuns: 60 },
  );
});

async function ask(manager: PipelineManager, id: string, operation: Operation): Promise<string> {
  if (operation === 'terminate') {
    await manager.terminate(id);
    return 'done';
  }
  try {
    return await manager.get(id).operate(operation);
  } catch (error) {
    expect((error as MillraceError).reason).toBe('PIPELINE_STATE');
    return 'refused';
  }
}

test('a pipeline that cannot be started leaves nothing behind but its reason', async () => {
  const { manager } = manage();
  await expect(manager.create(request({ model_id: 'nope/1' }), {}, 'mine')).rejects.toMatchObject({
    reason: 'SERVABLE_NOT_FOUND',
    details: { pipeline_id: 'mine' },
  });
  expect(manager.listed()).toEqual([]);
  expect(manager.get('mine')).toMatchObject({ state: 'failed', isOver: true });
});

test('with keep_failed it stays listed until it is terminated', async () => {
  const { manager } = manage({ keep_failed: true });
  await manager.create(request({ model_id: 'nope' }), { keepsFailed: true }, 'a').catch(() => {});
  expect(manager.listed()).toEqual(['a']);
  await manager.terminate('a');
  await manager.terminate('a');
  expect(manager.listed()).toEqual([]);
});

test('a lost host costs no pipeline: it starts again with its counts, its place, and paused where it was', async () => {
  const { manager, hosts } = manage();
  const pipeline = await manager.create(request());
  hosts.runOf(pipeline.id).result(0);
  hosts.runOf(pipeline.id).result(0);
  await pipeline.operate('mute');
  hosts.runOf(pipeline.id).end(new MillraceError('HOST_LOST', 'its host process ended unexpectedly'));
  await until(() => pipeline.state === 'waiting');
  expect(pipeline.report.sources[0]?.state).toBe('RESTARTING');
  expect(pipeline.nextTryAtMs).toBeGreaterThan(Date.now() - 1000);
  await until(() => hosts.runs.length === 2 && pipeline.state === 'running');
  expect(hosts.runOf(pipeline.id).program).toMatchObject({ startFrames: [2], startSequence: 2, isHeld: true });
  hosts.runOf(pipeline.id).sequence = 3;
  hosts.runOf(pipeline.id).report();
  expect(pipeline.hostLosses).toBe(1);
  expect(pipeline.updates.at(-1)?.payload).toMatchObject({ error_type: 'HOST_LOST' });
});

test('numbers of results go on behind those that a lost host has not reported', async () => {
  const { manager, hosts } = manage();
  const pipeline = await manager.create(request());
  const found = hosts.runOf(pipeline.id);
  const result = { source_id: 0, frame_id: 7, captured_at_ms: 0, width: 8, height: 8, predictions: [] };
  found.send({ type: 'results', sequence: 7, results: [result, result] });
  found.end(new MillraceError('HOST_LOST', 'gone'));
  await until(() => hosts.runs.length === 2);
  expect(hosts.runOf(pipeline.id).program.startSequence).toBe(8);
});

test('changes that are asked for at once are all made', async () => {
  const { manager, hosts } = manage();
  const pipeline = await manager.create(request());
  await Promise.all([pipeline.patch({ confidence: 0.1 }, undefined), pipeline.patch({ max_detections: 2 }, undefined)]);
  expect(hosts.runOf(pipeline.id).commands.at(-1)).toEqual({
    type: 'patch',
    model_configuration: { confidence: 0.1, max_detections: 2 },
  });
  expect(pipeline.request.model_configuration).toEqual({ confidence: 0.1, max_detections: 2 });
});

test('while its servable comes back it waits, and can be terminated at once', async () => {
  const { manager, hosts } = manage();
  const pipeline = await manager.create(request());
  hosts.notReady.add('detect');
  hosts.runOf(pipeline.id).end(new MillraceError('HOST_LOST', 'gone'));
  await until(() => pipeline.failure?.reason === 'SERVABLE_NOT_READY');
  expect(pipeline.state).toBe('waiting');
  await manager.terminate(pipeline.id);
  expect(pipeline.state).toBe('terminated');
});

test('a host that hangs keeps neither status nor other pipelines waiting', async () => {
  const { manager, hosts } = manage();
  const [stuck, well] = [await manager.create(request()), await manager.create(request())];
  hosts.runOf(stuck.id).hangs = true;
  const asked = stuck.operate('mute');
  expect(stuck.report.sources[0]?.state).toBe('RUNNING');
  await expect(well.operate('mute')).resolves.toBe('done');
  await expect(asked).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
}, 20_000);

test('an id is taken while its pipeline runs, and free when that has ended', async () => {
  const { manager } = manage();
  await manager.create(request({ id: 'camera-1' }));
  await expect(manager.create(request({ id: 'camera-1' }))).rejects.toMatchObject({ reason: 'PIPELINE_EXISTS' });
  await manager.terminate('camera-1');
  await expect(manager.create(request({ id: 'camera-1' }))).resolves.toMatchObject({ state: 'running' });
});

test('results wait in the ring, the oldest going first when it is full', async () => {
  const { manager, hosts } = manage();
  const pipeline = await manager.create(request({ sinks: [{ type: 'memory', results_buffer_size: 2 }] }));
  for (let i = 0; i < 3; i++) hosts.runOf(pipeline.id).result(0);
  expect(pipeline.consume()?.results[0]?.frame_id).toBe(2);
  expect(pipeline.consume()?.results[0]?.frame_id).toBe(3);
  expect(pipeline.consume()).toBeUndefined();
  expect(pipeline.ring?.counts).toEqual({ waiting: 0, lost: 1, taken: 2 });
});

test('results in the ring are bounded by their bytes too', () => {
  const ring = new ResultRing(64);
  const result = { source_id: 0, frame_id: 1, captured_at_ms: 0, width: 8, height: 8, predictions: [] };
  for (let sequence = 1; sequence <= 40; sequence++) {
    ring.put({ sequence, results: [{ ...result, outputs: { image: 'x'.repeat(2 ** 20) } }] });
  }
  expect(ring.counts.waiting).toBeLessThan(33);
  expect(ring.counts.waiting + ring.counts.lost).toBe(40);
});

test('a pipeline whose results nobody reads ends after its consumption_timeout', async () => {
  const { manager } = manage();
  const pipeline = await manager.create(request({ consumption_timeout: 0.1, sinks: [{ type: 'memory' }] }));
  await until(() => pipeline.isOver);
  expect(pipeline.state).toBe('terminated');
});

test('limits: in all, and of one token', async () => {
  const { manager } = manage({ max_pipelines: 3, max_pipelines_per_token: 1 });
  await manager.create(request(), { token: 'a' });
  await expect(manager.create(request(), { token: 'a' })).rejects.toMatchObject({ reason: 'LIMIT_REACHED' });
  await manager.create(request(), { token: 'b' });
  await manager.create(request());
  await expect(manager.create(request())).rejects.toThrow('3 pipelines run');
});

test('what persists starts again with the next server, paused where it was; what ended does not', async () => {
  await using folder = await ScratchFolder.create();
  const first = manage({}, new PipelineStore(join(folder.path, 'kept'), logger));
  const options = { persist: true, video_reference: 'rtsp://user:secret@camera/1' };
  const [kept, ended] = [await first.manager.create(request(options)), await first.manager.create(request(options))];
  await kept.operate('mute');
  first.hosts.runOf(ended.id).end();
  await until(() => ended.isOver);
  // Files are written behind the answer: the one that stays may still be a temporary one when the other is gone.
  await until(async () => (await readdir(join(folder.path, 'kept'))).join() === `${kept.id}.json`);
  const file = join(folder.path, 'kept', `${kept.id}.json`);
  await until(async () => /"isHeld": true/.test(await readFile(file, 'utf8')));
  await first.manager[Symbol.asyncDispose]();

  await writeFile(join(folder.path, 'kept', 'broken.json'), '{');
  const second = manage({}, new PipelineStore(join(folder.path, 'kept'), logger));
  await second.manager.restore();
  await until(() => second.manager.get(kept.id).state === 'running');
  expect(second.manager.listed()).toEqual([kept.id]);
  expect(second.hosts.runOf(kept.id).program).toMatchObject({ isHeld: true, pipeline: options });
  await second.manager.terminate(kept.id);
  expect((await readdir(join(folder.path, 'kept'))).filter((name) => name !== 'broken.json')).toEqual([]);
});

test('a kept or autostarted pipeline that cannot be started is listed with its error, and tried by the next server', async () => {
  await using folder = await ScratchFolder.create();
  const kept = join(folder.path, 'kept');
  const first = manage({}, new PipelineStore(kept, logger));
  await first.manager.create(request({ persist: true, id: 'kept' }));
  await until(async () => (await readdir(kept)).join() === 'kept.json');
  await first.manager[Symbol.asyncDispose]();

  const autostart = [{ id: 'gate', video_reference: 'lavfi:x', model_id: 'detect' }];
  const config = { autostart, history_s: 0 };
  const second = manage({ ...config, models: { detect: { servable: 'nope' } } }, new PipelineStore(kept, logger));
  await second.manager.restore();
  expect(second.manager.get('gate').failure?.reason).toBe('VIDEO_REFUSED');
  expect(second.manager.get('kept').failure?.reason).toBe('SERVABLE_NOT_FOUND');
  await delay(1_100); // ended pipelines are swept twice a second
  expect(second.manager.listed()).toEqual(['gate', 'kept']);
  await second.manager[Symbol.asyncDispose]();
  expect(await readdir(kept)).toEqual(['kept.json']);

  const third = manage({}, new PipelineStore(kept, logger));
  await third.manager.restore();
  await until(() => third.manager.get('kept').state === 'running');
});

test('autostart waits for its servable', async () => {
  const hosts = new FakePipelineHosts();
  hosts.notReady.add('detect');
  const autostart = [{ id: 'gate', video_reference: '/v/a.mp4', model_id: 'detect' }];
  const { manager } = manage({ autostart }, undefined, hosts);
  await manager.restore();
  expect(manager.get('gate').state).toBe('waiting');
  hosts.notReady.clear();
  await until(() => manager.get('gate').state === 'running');
});

test.each([
  ['concat:/etc/passwd|/v/a.mp4', 'scheme concat'],
  ['subfile,,start,0,end,9,,:/v/a.mp4', 'scheme subfile'],
  ['lavfi:movie=/etc/passwd', 'scheme lavfi'],
  ['data:video/mp4;base64,AAAA', 'scheme data'],
  ['/etc/passwd', 'not in the folders'],
  ['/v/../etc/passwd', 'not in the folders'],
  ['file:///etc/passwd', 'not in the folders'],
  ['rtsp://user:secret@elsewhere/1', 'hosts *.factory.local'],
  ['http://factory.local.evil.example/a.mp4', 'hosts *.factory.local'],
  ['http://a.factory.local\\@evil.example/a.mp4', 'a backslash'],
  ['rtsp://a.factory.local\t@evil.example/1', 'a control character'],
  ['http:///a.factory.local/a.mp4', 'scheme://host expected'],
  ['rtsp:/admin:secret@a.factory.local/1', 'scheme://host expected'],
])('a video reference that is not allowed is refused, without its credentials: %s', async (video_reference, text) => {
  const { manager } = manage({ allow: { hosts: ['*.factory.local', '10.0.0.7'], folders: ['/v'] } });
  const failing = manager.create(request({ video_reference }));
  await expect(failing).rejects.toMatchObject({ reason: 'VIDEO_REFUSED' });
  await expect(failing).rejects.toThrow(text);
  await expect(failing).rejects.not.toThrow('secret');
});

test('what is allowed is taken', async () => {
  const { manager } = manage({ allow: { hosts: ['*.factory.local', '10.0.0.7'], folders: ['/v'] } });
  for (const video_reference of [
    '/v/x/../a.mp4',
    'file:///v/a.mp4',
    'rtsp://u:p@Gate.Factory.Local/1',
    'http://10.0.0.7/x',
    0,
  ]) {
    await expect(manager.create(request({ video_reference }))).resolves.toBeDefined();
  }
});

test('an address of results that programs read differently is refused', async () => {
  const { manager } = manage({ allow: { sink_hosts: ['factory.local'] } });
  const sinks = [{ type: 'mqtt', url: 'mqtt://evil.example:1883\\@factory.local', topic: 'x' }];
  await expect(manager.create(request({ sinks }))).rejects.toThrow('a backslash');
});

test('a link out of an allowed folder leads nowhere', async () => {
  await using folder = await ScratchFolder.create();
  await mkdir(join(folder.path, 'v'));
  await symlink('/etc', join(folder.path, 'v', 'link'));
  const { manager } = manage({ allow: { folders: [join(folder.path, 'v')] } });
  const video_reference = join(folder.path, 'v', 'link', 'passwd');
  await expect(manager.create(request({ video_reference }))).rejects.toMatchObject({ reason: 'VIDEO_REFUSED' });
});

test('files are written only where the configuration says', async () => {
  const sinks = [{ type: 'json_lines', path: '/tmp/out/a.jsonl' }];
  await expect(manage().manager.create(request({ sinks }))).rejects.toThrow('no files are written unless');
  const { manager } = manage({ allow: { sink_folders: ['/tmp/out'] } });
  await expect(manager.create(request({ sinks }))).resolves.toBeDefined();
  const elsewhere = [{ type: 'video_file', target: '/tmp/out/../b.mp4' }];
  await expect(manager.create(request({ sinks: elsewhere }))).rejects.toMatchObject({ reason: 'VIDEO_REFUSED' });
});

test('model ids: aliases, servables, and project/version', () => {
  const hosts = new FakePipelineHosts();
  const { manager } = manage(
    { models: { 'factory/3': { servable: 'detect', class_names: ['cat'] } } },
    undefined,
    hosts,
  );
  expect(manager.modelOf('factory/3')).toEqual({ servable: 'detect', version: '', classNames: ['cat'] });
  expect(manager.modelOf('some/7')).toEqual({ servable: 'some', version: '7', classNames: [] });
  expect(manager.modelOf('detect').servable).toBe('detect');
  expect(manager.modelOf('toString').servable).toBe('toString');
});

test('of many that are over only the last ones are remembered', async () => {
  const { manager } = manage();
  for (let i = 0; i < 260; i++) await manager.terminate((await manager.create(request({ id: `p${i}` }))).id);
  await manager.create(request({ id: 'runs' }));
  await until(() => manager.all().length <= 257);
  const ids = manager.all().map(({ id }) => id);
  expect(ids).toContain('runs');
  expect(ids).toContain('p259');
  expect(ids).not.toContain('p0');
});
