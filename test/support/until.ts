import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 10;
const LONGEST_MS = 30_000;

/** Waits until `isSo` says so; throws after a time that is ample. */
export async function until(isSo: () => boolean | Promise<boolean>, what = String(isSo)): Promise<void> {
  const deadline = Date.now() + LONGEST_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await delay(POLL_MS);
  }
}
