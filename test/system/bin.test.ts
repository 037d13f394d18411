import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';

const run = promisify(execFile);

/** What the command `millrace --version` gives, of the checkout `root`, in a Node that says it is `node`. */
async function version(root: string, node: string): Promise<{ code: number; out: string; err: string }> {
  const pretended = `data:text/javascript,Object.defineProperty(process.versions,"node",{value:"${node}"})`;
  return run(process.execPath, ['--import', pretended, join(root, 'bin/millrace.js'), '--version']).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      out: stdout,
      err: stderr,
    }),
  );
}

test.each(['20.19.0', '22.1.0'])('runs on Node %s', async (node) => {
  expect(await version(ROOT, node)).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+/) as string, err: '' });
});

test.each(['18.20.0', '20.18.3'])('refuses Node %s', async (node) => {
  const err = `millrace: Node.js 20.19 or newer expected, this is ${node}\n`;
  expect(await version(ROOT, node)).toEqual({ code: 1, out: '', err });
});

test('says what to run in a checkout that is not built', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bin-'));
  try {
    for (const part of ['bin', 'package.json']) await cp(join(ROOT, part), join(folder, part), { recursive: true });
    const err = 'millrace: not built yet; run `npm run setup` first\n';
    expect(await version(folder, process.versions.node)).toEqual({ code: 1, out: '', err });
  } finally {
    await rm(folder, { recursive: true });
  }
});
