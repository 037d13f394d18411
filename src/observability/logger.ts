import { pino, type Level } from 'pino';
import type { Logger } from '../base/logger.ts';

/** JSON lines on stdout. A `MillraceError` or any other error under `err` or `error` is written with its stack and causes. */
export function createLogger(level: Level, destination?: { write(line: string): void }): Logger {
  const options = {
    level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
