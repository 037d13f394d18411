import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { ScratchFolder } from '../../../test/support/scratch-folder.ts';
import { silentLogger } from '../../base/logger.ts';
import type { RoboflowCommands } from '../../pipelines/roboflow/commands.ts';
import { Tls } from '../../security/tls.ts';
import { listenManager } from './listen-manager.ts';

test('with TLS a stop closes connections before and after their handshakes, whatever they wait for', async () => {
  await using folder = await ScratchFolder.create();
  const authority = await TestAuthority.create(folder.path);
  const tls = await Tls.open({ ...(await authority.issue('server')), clientCa: undefined });
  const options = { host: '127.0.0.1', port: 0, maxMessageBytes: 1024, timeoutMs: 600_000, ownerOf: () => ({}), tls };
  const listener = await listenManager(options, {} as RoboflowCommands, silentLogger);
  const silent = connect(listener.port, '127.0.0.1');
  const open = connectTls({ port: listener.port, host: '127.0.0.1', rejectUnauthorized: false });
  await Promise.all([once(silent, 'connect'), once(open, 'secureConnect')]);
  for (const socket of [silent, open]) socket.on('error', () => {}).resume();
  const closed = Promise.all([once(silent, 'close'), once(open, 'close')]);
  const drained = listener.drain();
  await listener[Symbol.asyncDispose]();
  await drained;
  await expect(closed).resolves.toBeDefined();
});
