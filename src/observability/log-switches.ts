import { pino, type Level } from 'pino';
import type { LogControl, LogSettings } from '../base/logger.ts';

const { trace, debug, info, warn, error } = pino.levels.values as Readonly<Record<Level, number>>;

/** Which levels are written, each by itself; what is worse than an error always is. */
export class LogSwitches implements LogControl {
  #settings: LogSettings;

  /** @param level the least severe that is written at first */
  constructor(level: Level) {
    const least = pino.levels.values[level] ?? info;
    this.#settings = {
      info: least <= info,
      warning: least <= warn,
      error: least <= error,
      verboseLevel: least <= trace ? 2 : least <= debug ? 1 : 0,
    };
  }

  get settings(): LogSettings {
    return this.#settings;
  }

  set(settings: LogSettings): void {
    this.#settings = settings;
  }

  /** @param level as pino counts */
  isOn(level: number): boolean {
    const settings = this.#settings;
    if (level > error) return true;
    if (level === error) return settings.error;
    if (level === warn) return settings.warning;
    if (level === info) return settings.info;
    return settings.verboseLevel >= (level === debug ? 1 : 2);
  }
}
