import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, vi } from 'vitest';
import { isExecutable, SETPRIV } from '../base/bound-to-parent.ts';

/** Neither there nor a process that has ended and that nobody has waited for. */
async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' || /\) [ZX] /.test(stat);
}

it.skipIf(!isExecutable(SETPRIV))('a host that loops for ever ends with its front, however that dies', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'launcher-'));
  try {
    const looping = join(folder, 'looping.mjs');
    const front = join(folder, 'front.mts');
    await writeFile(looping, 'console.log(process.pid); for (;;);\n');
    await writeFile(
      front,
      `import { processLauncher } from ${JSON.stringify(new URL('launcher.ts', import.meta.url).href)};
       processLauncher(new URL(${JSON.stringify(pathToFileURL(looping).href)}), process.env)();
       setInterval(() => {}, 1000);\n`,
    );
    const child = spawn(process.execPath, ['--import', 'tsx', front], { stdio: ['ignore', 'pipe', 'inherit'] });
    let pid = 0;
    try {
      const [said] = (await once(child.stdout, 'data')) as [Buffer];
      pid = Number(said);
      expect(await isGone(pid)).toBe(false);
      child.kill('SIGKILL');
      await vi.waitFor(async () => expect(await isGone(pid)).toBe(true), { timeout: 20_000, interval: 20 });
    } finally {
      child.kill('SIGKILL');
      if (pid > 0 && !(await isGone(pid))) process.kill(pid, 'SIGKILL');
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
