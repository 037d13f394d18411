import { stat } from 'node:fs/promises';

/**
 * Looks at files every `intervalMs` and calls `onChange` after one changed, appeared or went away; never twice at once.
 * By stat rather than by events: these are lost on network and overlay file systems.
 */
export function watchFiles(
  files: () => readonly string[],
  intervalMs: number,
  onChange: () => Promise<void>,
): Disposable {
  let stamps: Map<string, string> | undefined;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const now = new Map<string, string>();
    await Promise.all(files().map(async (file) => now.set(file, await stampOf(file))));
    // A file that is new here counts as changed: it may have been since it was read.
    const before = stamps ?? now;
    const hasChanged = [...now].some(([file, stamp]) => before.get(file) !== stamp);
    stamps = now;
    if (hasChanged && !isStopped) await onChange();
  };
  const again = (): void => {
    if (isStopped) return;
    timer = setTimeout(() => void look().finally(again), intervalMs);
    timer.unref();
  };
  void look().finally(again);
  return {
    [Symbol.dispose]() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs}/${size}/${ino}`;
  } catch {
    return 'missing';
  }
}
