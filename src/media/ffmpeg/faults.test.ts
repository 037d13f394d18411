import { expect, it } from 'vitest';
import { causeOf, exitText } from './faults.ts';

const exit = (stderr: string, signal: NodeJS.Signals | null = null) => ({
  code: signal === null ? 1 : null,
  signal,
  stderr,
});

it.each([
  ['method DESCRIBE failed: 401 Unauthorized', 'unauthorized'],
  ['method DESCRIBE failed: 404 Not Found', 'not_found'],
  ['tcp://127.0.0.1:1: Connection refused', 'refused'],
  ['moov atom not found\nx.mp4: Invalid data found when processing input', 'unreadable'],
  ['av_interleaved_write_frame(): No space left on device', 'full'],
  ['Failed to resolve hostname nowhere.invalid', 'unreachable'],
  ['', 'lost'],
])('tells the cause of "%s"', (stderr, cause) => {
  expect(causeOf(exit(stderr), 'lost')).toBe(cause);
});

it('a signal is a cause where nothing was said', () => {
  expect(causeOf(exit('', 'SIGKILL'), 'lost')).toBe('killed');
  expect(exitText(exit('', 'SIGKILL'))).toBe('killed by SIGKILL');
});

it('shows the end of what was said, without addresses in memory', () => {
  expect(exitText(exit('[rtsp @ 0x55d0] first\n\n[mov,mp4 @ 0x55d0c] second\nthird'))).toBe(
    'second; third (exit code 1)',
  );
});
