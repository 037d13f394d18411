import { pino, type Level, type LogFn } from 'pino';
import type { LogControl, Logger } from '../base/logger.ts';
import { redactText } from '../base/redact.ts';
import { LogSwitches } from './log-switches.ts';

/**
 * JSON lines on stdout. A `MillraceError` or any other error under `err` or `error` is written with its stack and causes.
 * Whole lines are redacted rather than named fields: secrets also come in messages, in URLs and in the errors of others.
 */
export function createLogger(
  level: Level,
  destination: { write(line: string): void } = pino.destination(1),
): Logger & { readonly control: LogControl } {
  const control = new LogSwitches(level);
  const options = {
    // What is written may change at any time, and children keep the level that their parent had: the switches decide.
    level: 'trace',
    hooks: {
      logMethod(args: Parameters<LogFn>, method: LogFn, severity: number): void {
        if (control.isOn(severity)) method.apply(this as never, args);
      },
    },
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  const logger: Omit<Logger, 'control'> = pino(options, {
    write: (line: string) => destination.write(redactText(line)),
  });
  return Object.assign(logger, { control });
}
