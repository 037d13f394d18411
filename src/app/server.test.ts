import { connect } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { freePorts } from '../../test/support/free-port.ts';
import { silentLogger } from '../base/logger.ts';
import { defaultSettings } from '../config/settings.ts';
import { startServer } from './server.ts';

test('a start that is given up while servables load closes what it had opened', async () => {
  const [port = 0, restPort = 0] = await freePorts(2);
  const giveUp = new AbortController();
  const started = startServer({
    settings: defaultSettings({ port, restPort, hosts: 0 }),
    loadServables: () => {
      giveUp.abort(new Error('given up'));
      return new Promise(() => {});
    },
    logger: silentLogger,
    signal: giveUp.signal,
  });
  await expect(started).rejects.toThrow('given up');
  for (const each of [port, restPort]) {
    const [error] = (await once(connect(each, '127.0.0.1'), 'error')) as unknown[];
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  }
}, 30_000);

test.each([true, false])(
  'a servable that does not load, with strict %s',
  async (strict) => {
    const [port = 0, restPort = 0] = await freePorts(2);
    const settings = defaultSettings({ port, restPort, hosts: 0, strict });
    const started = startServer({
      settings,
      loadServables: () =>
        Promise.resolve({
          specs: [],
          broken: [{ name: 'torn', version: '1', kind: 'model', reason: 'config.json: model_config_list[0]: no file' }],
          files: [],
          warnings: [],
        }),
      logger: silentLogger,
    });
    if (strict) {
      await expect(started).rejects.toMatchObject({
        reason: 'SERVABLE_NOT_READY',
        message:
          'a servable did not load; refused because of --strict: "torn" version 1: config.json: model_config_list[0]: no file',
      });
      const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as unknown[];
      expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    } else {
      await using server = await started;
      expect(server.dataPlane.isReady()).toBe(true);
      expect(server.dataPlane.isServableReady('torn', '')).toBe(false);
    }
  },
  30_000,
);
