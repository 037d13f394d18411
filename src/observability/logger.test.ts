import { expect, test } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import { createLogger } from './logger.ts';

function logged(log: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  log(createLogger('info', { write: (line) => lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('writes one JSON object a line with level, time, fields and message', () => {
  const [line] = logged((logger) => logger.child({ servable: 'counter' }).info({ sessions: 2 }, 'session opened'));
  expect(line).toMatchObject({ level: 'info', servable: 'counter', sessions: 2, msg: 'session opened' });
  expect(new Date(String(line?.['time'])).getTime()).toBeGreaterThan(0);
});

test('leaves out what is less severe than its level', () => {
  expect(logged((logger) => logger.debug({}, 'detail'))).toEqual([]);
});

test("keeps an error's cause", () => {
  const error = new MillraceError('MODEL_INVALID', 'no such model', { cause: new Error('ENOENT') });
  const [line] = logged((logger) => logger.error({ err: error }, 'load failed'));
  expect(JSON.stringify(line)).toContain('ENOENT');
});

test('shows no secrets, wherever in a line they stand', () => {
  const token = `millrace_0123456789ab_${'s'.repeat(43)}`;
  const lines = logged((logger) => {
    logger.info({ headers: { authorization: `Bearer ${token}`, cookie: 'id=1' } }, `called with ${token}`);
    logger.child({ source: 'rtsp://user:hunter2@camera/1' }).error({ err: new Error(`Bearer ${token}`) }, 'failed');
  });
  const text = JSON.stringify(lines);
  expect(text).toContain('millrace_0123456789ab_[redacted]');
  for (const secret of ['sss', 'hunter2', 'id=1']) expect(text).not.toContain(secret);
});
