import { defineConfig } from 'vitest/config';

/** Ample on a busy machine: a wait ends when what it waits for is there. */
const waits = { testTimeout: 60_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000, interval: 20 } } };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/architecture/**/*.test.ts', 'test/contracts/**/*.test.ts'],
          ...waits,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/media/**/*.test.ts'],
          fileParallelism: false,
          ...waits,
        },
      },
    ],
  },
});
