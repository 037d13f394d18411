import { pino, type Level } from 'pino';
import type { Logger } from '../base/logger.ts';
import { redactText } from '../base/redact.ts';

/**
 * JSON lines on stdout. A `MillraceError` or any other error under `err` or `error` is written with its stack and causes.
 * Whole lines are redacted rather than named fields: secrets also come in messages, in URLs and in the errors of others.
 */
export function createLogger(level: Level, destination: { write(line: string): void } = pino.destination(1)): Logger {
  const options = {
    level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(options, { write: (line: string) => destination.write(redactText(line)) });
}
