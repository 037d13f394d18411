import { MillraceError } from '../base/errors.ts';
import type { LogControl, LogSettings } from '../base/logger.ts';

/** Triton's log settings by name (KServe sheet §3.3). */
export type LogValues = Readonly<Record<string, boolean | number | string>>;

const SWITCHES = { log_info: 'info', log_warning: 'warning', log_error: 'error' } as const;
const FORMATS: readonly string[] = ['default', 'ISO8601'];
const MAX_LEVEL = 2 ** 32 - 1;

/** Triton's log settings over ours. The format may be set and read; lines are JSON with a time in ISO 8601 in both. */
export class LogSettingsService {
  readonly #control: LogControl | undefined;
  #format = 'default';

  /** @param control undefined: nothing can be changed */
  constructor(control: LogControl | undefined) {
    this.#control = control;
  }

  get(): LogValues {
    const { info = true, warning = true, error = true, verboseLevel = 0 } = this.#control?.settings ?? {};
    return {
      log_file: '',
      log_info: info,
      log_warning: warning,
      log_error: error,
      log_verbose_level: verboseLevel,
      log_format: this.#format,
    };
  }

  /**
   * All changes or none. Names that it does not know are ignored, as Triton does.
   * @throws MillraceError INVALID_PARAMETER, NOT_SUPPORTED
   */
  update(changes: LogValues): LogValues {
    const changed: { -readonly [K in keyof LogSettings]?: LogSettings[K] } = {};
    let format = this.#format;
    for (const [name, value] of Object.entries(changes)) {
      if (name === 'log_file') throw fixedFile();
      if (isSwitch(name)) {
        if (typeof value !== 'boolean') throw invalid(name, `expect boolean for '${name}'`);
        changed[SWITCHES[name]] = value;
      } else if (name === 'log_verbose_level') changed.verboseLevel = levelOf(value);
      else if (name === 'log_format') format = formatOf(value);
    }
    if (Object.keys(changed).length > 0) this.#apply(changed);
    this.#format = format;
    return this.get();
  }

  #apply(changed: Partial<LogSettings>): void {
    if (this.#control === undefined) throw new MillraceError('NOT_SUPPORTED', 'this log has no settings to change');
    this.#control.set({ ...this.#control.settings, ...changed });
  }
}

function isSwitch(name: string): name is keyof typeof SWITCHES {
  return Object.hasOwn(SWITCHES, name);
}

function levelOf(value: boolean | number | string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_LEVEL) return value;
  throw invalid('log_verbose_level', "expect int32 for 'log_verbose_level', 0 or more");
}

function formatOf(value: boolean | number | string): string {
  if (typeof value === 'string' && FORMATS.includes(value)) return value;
  throw invalid(
    'log_format',
    `invalid argument for log_format, got: ${String(value)}; ${FORMATS.join(' or ')} expected`,
  );
}

function invalid(name: string, message: string): MillraceError {
  return new MillraceError('INVALID_PARAMETER', message, { details: { parameter: name } });
}

function fixedFile(): MillraceError {
  return new MillraceError('NOT_SUPPORTED', 'log file location can not be updated through network protocol', {
    details: { parameter: 'log_file' },
  });
}
