import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { launchPython } from '../../src/runtime/python/python-launcher.ts';
import { PythonNodes } from '../../src/runtime/python/python-nodes.ts';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';

const SEEN = { timeout: 30_000, interval: 20 };

it('a call that is aborted fails at once, and the generator that it makes nevertheless is closed', async () => {
  await using folder = await ScratchFolder.create();
  const interpreter = await pythonPath();
  const env = { ...process.env, MILLRACE_HOST_LOG_LEVEL: 'fatal', NODES: folder.path };
  const path = join(ROOT, 'test/fixtures/python-nodes/awaited.py');
  const nodes = await PythonNodes.start(
    [{ node: 'n', path, inputs: ['in'], outputs: ['out'], folder: folder.path }],
    { name: 'g', launch: () => launchPython(interpreter, env, silentLogger), callDeadlineMs: 0, loadTimeoutMs: 0 },
    silentLogger,
  );
  try {
    const has = (name: string): boolean => existsSync(join(folder.path, name));
    const run = new AbortController();
    const context = { timestamp: 0n, signal: run.signal, logger: silentLogger, parameters: {} };
    const answer = Promise.resolve(nodes.handler('n').execute([], context));
    const failed = expect(answer).rejects.toMatchObject({ reason: 'CANCELLED' });
    await vi.waitFor(() => expect(has('began')).toBe(true), SEEN);
    run.abort();
    await failed;
    expect(has('closed')).toBe(false);
    await folder.put('go', '');
    await vi.waitFor(() => expect(has('closed')).toBe(true), SEEN);
  } finally {
    await nodes.close();
  }
});
