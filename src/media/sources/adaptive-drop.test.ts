import { beforeEach, describe, expect, test } from 'vitest';
import { AdaptiveDrop, type AdaptiveLimits } from './adaptive-drop.ts';

const LIMITS: AdaptiveLimits = {
  streamPaceTolerance: 0.1,
  readerPaceTolerance: 5,
  minimumSamples: 10,
  maximumDroppedInRow: 16,
};

let clock = 0;
beforeEach(() => {
  clock = 0;
});

/** Frames at a pace, each read at once where it was kept and `reads` says so. @returns what became of each: k or d */
function frames(
  drop: AdaptiveDrop,
  count: number,
  fps: number,
  reads: (index: number) => boolean = () => true,
): string {
  let fates = '';
  for (let i = 0; i < count; i++) {
    clock += 1000 / fps;
    const isDropped = drop.drops();
    if (!isDropped && reads(i)) drop.read();
    fates += isDropped ? 'd' : 'k';
  }
  return fates;
}

const adaptive = (declaredFps: number | undefined, limits: Partial<AdaptiveLimits> = {}): AdaptiveDrop =>
  new AdaptiveDrop({ ...LIMITS, ...limits }, declaredFps, () => clock);

describe('a source that comes more slowly than it declares', () => {
  test('is not judged before it gave enough frames; then one of 17 passes', () => {
    const fates = frames(adaptive(30), 10 + 3 * 17, 15);
    expect(fates.slice(0, 10)).toBe('k'.repeat(10));
    expect(fates.slice(10)).toBe(`${'d'.repeat(16)}k`.repeat(3));
  });

  test('has the samples and the drops in a row that it was told', () => {
    expect(frames(adaptive(30, { minimumSamples: 3, maximumDroppedInRow: 2 }), 9, 15)).toBe('kkkddkddk');
    expect(frames(adaptive(30, { maximumDroppedInRow: 0 }), 50, 15)).not.toContain('d');
  });

  test('loses nothing within the tolerance', () => {
    expect(frames(adaptive(30, { streamPaceTolerance: 16 }), 60, 15)).not.toContain('d');
  });

  test('is measured anew after a connection anew', () => {
    const drop = adaptive(30);
    frames(drop, 20, 15);
    expect(drop.dropped).toBe(10);
    clock += 60_000;
    drop.reset();
    expect(frames(drop, 10, 15)).toBe('k'.repeat(10));
    expect(drop.dropped).toBe(10);
  });
});

test('a source that keeps what it declares loses nothing to a reader that keeps up', () => {
  expect(frames(adaptive(15), 300, 15)).not.toContain('d');
});

describe('a source that declares nothing', () => {
  test.each([undefined, 0, -1])('%s: loses nothing to an active reader', (declared) => {
    expect(frames(adaptive(declared), 300, 15)).not.toContain('d');
  });

  test('loses frames to a reader that is behind by more than the tolerance, and no more than that', () => {
    const fates = frames(adaptive(undefined), 300, 30, (i) => i % 3 === 0);
    expect(fates).toContain('d');
    expect(fates).not.toContain('d'.repeat(17));
    expect(frames(adaptive(undefined, { readerPaceTolerance: 100 }), 300, 30, (i) => i % 3 === 0)).not.toContain('d');
  });

  test('loses frames to a reader that has stopped, but not to one that never began', () => {
    const drop = adaptive(undefined);
    frames(drop, 50, 30);
    expect(frames(drop, 200, 30, () => false)).toContain('d');
    expect(frames(adaptive(undefined), 200, 30, () => false)).not.toContain('d');
  });
});
