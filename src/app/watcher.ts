import { stat } from 'node:fs/promises';

/**
 * Looks at files every `intervalMs` and calls `onChange` after one changed, appeared or went away; never twice at once.
 * By stat rather than by events: these are lost on network and overlay file systems.
 * @param sinceMs milliseconds since the epoch: what changed later has changed for the first look too. Before the files were
 * read, so that nothing is missed between that and the first look
 */
export function watchFiles(
  files: () => readonly string[],
  sinceMs: number,
  intervalMs: number,
  onChange: () => void | Promise<void>,
): Disposable {
  let stamps: Map<string, Stamp> | undefined;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const now = new Map<string, Stamp>();
    await Promise.all(files().map(async (file) => now.set(file, await stampOf(file))));
    const before = stamps;
    // Later on a file that is new here counts as changed: it may have been since it was read.
    const hasChanged = [...now].some(([file, { id, changedMs }]) =>
      before === undefined ? changedMs > sinceMs : before.get(file)?.id !== id,
    );
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

interface Stamp {
  /** Differs when the file does. */
  readonly id: string;
  /** Its last change, contents or name; milliseconds since the epoch. */
  readonly changedMs: number;
}

async function stampOf(file: string): Promise<Stamp> {
  try {
    const { mtimeMs, ctimeMs, size, ino } = await stat(file);
    return { id: `${mtimeMs}/${size}/${ino}`, changedMs: ctimeMs };
  } catch {
    return { id: 'missing', changedMs: 0 };
  }
}
