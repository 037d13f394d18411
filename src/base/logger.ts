/** The part of pino that the server needs; tests pass `silentLogger`. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
  /** Changes what it and all its children write; undefined where that cannot be changed. */
  readonly control?: LogControl | undefined;
}

/** What is written, in Triton's terms (KServe sheet §3.3). */
export interface LogSettings {
  readonly info: boolean;
  readonly warning: boolean;
  readonly error: boolean;
  /** 0: nothing below info; 1: debug; 2 or more: trace, too. */
  readonly verboseLevel: number;
}

export interface LogControl {
  readonly settings: LogSettings;
  set(settings: LogSettings): void;
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
