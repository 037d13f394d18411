import { ChildProcess } from 'node:child_process';
import { expect, test, vi } from 'vitest';
import { MediaProcess } from './media-process.ts';

vi.mock('node:child_process', async (original) => ({
  ...(await original<object>()),
  // As Node's own does where a process may open no more files: there are no pipes then.
  spawn: () => {
    const child = new ChildProcess();
    process.nextTick(() => child.emit('error', new Error('spawn ffmpeg EMFILE')));
    return child;
  },
}));

test.each([false, true])(
  'where no more files can be opened it has ended, and says why (target: %s)',
  async (isRead) => {
    const target = isRead ? { room: () => Buffer.alloc(8), filled: () => {} } : undefined;
    const child = new MediaProcess({ program: 'ffmpeg', args: [], hasInput: true, ...(target && { target }) });
    child.stdin.write('frame');
    child.stdout.on('data', () => {});
    await expect(child.exit).resolves.toEqual({ code: null, signal: null, stderr: 'spawn ffmpeg EMFILE' });
    expect(child.hasEnded).toBe(true);
    await expect(child.stop()).resolves.toMatchObject({ code: null });
  },
);
