import { MillraceError } from '../base/errors.ts';

/** Triton's trace settings by name; all are texts, and only the level may have several. */
export type TraceValues = Readonly<Record<string, readonly string[]>>;

const DEFAULTS = {
  trace_level: ['OFF'],
  trace_rate: ['1000'],
  trace_count: ['-1'],
  log_frequency: ['0'],
} as const satisfies TraceValues;

type Changeable = keyof typeof DEFAULTS;

/** The least value of each that is a number. */
const LEAST: Readonly<Partial<Record<Changeable, number>>> = { trace_rate: 0, trace_count: -1, log_frequency: 0 };
const MAX_NUMBER = 2 ** 32 - 1;

/**
 * Triton's trace settings, of all models and of single ones (KServe sheet §3.3). Requests are not traced into a file, so the
 * level stays OFF, as in a Triton that was started without one; the rest can be set, and has no effect.
 */
export class TraceSettings {
  readonly #isModel: (name: string) => boolean;
  readonly #global = new Map<Changeable, readonly string[]>();
  readonly #models = new Map<string, Map<Changeable, readonly string[]>>();

  constructor(isModel: (name: string) => boolean) {
    this.#isModel = isModel;
  }

  /** @param model "" means what holds for all that have nothing of their own. @throws MillraceError SERVABLE_NOT_FOUND */
  get(model: string): TraceValues {
    this.#check(model);
    const own = this.#models.get(model);
    const of = (name: Changeable): readonly string[] => own?.get(name) ?? this.#global.get(name) ?? DEFAULTS[name];
    return {
      trace_level: of('trace_level'),
      trace_rate: of('trace_rate'),
      trace_count: of('trace_count'),
      log_frequency: of('log_frequency'),
      trace_file: [''],
      trace_mode: ['triton'],
    };
  }

  /**
   * All changes or none. No values: as for all models, or as at the start. Names that it does not know are ignored, as Triton
   * does.
   * @throws MillraceError INVALID_PARAMETER, SERVABLE_NOT_FOUND, NOT_SUPPORTED
   */
  update(model: string, changes: TraceValues): TraceValues {
    this.#check(model);
    const own = model === '' ? this.#global : (this.#models.get(model) ?? new Map<Changeable, readonly string[]>());
    const changed = new Map(own);
    for (const [name, values] of Object.entries(changes)) {
      if (name === 'trace_file' && values.length > 0) throw fixedFile();
      if (!isChangeable(name)) continue;
      if (values.length === 0) changed.delete(name);
      else changed.set(name, checked(name, values));
    }
    if (model === '') {
      this.#global.clear();
      for (const [name, values] of changed) this.#global.set(name, values);
    } else if (changed.size === 0) this.#models.delete(model);
    else this.#models.set(model, changed);
    return this.get(model);
  }

  /** Triton's text. */
  #check(model: string): void {
    if (model === '' || this.#isModel(model)) return;
    throw new MillraceError('SERVABLE_NOT_FOUND', `Request for unknown model : ${model}`, {
      code: 'INVALID_ARGUMENT',
      details: { servable: model },
    });
  }
}

function isChangeable(name: string): name is Changeable {
  return Object.hasOwn(DEFAULTS, name);
}

function checked(name: Changeable, values: readonly string[]): readonly string[] {
  if (name === 'trace_level') return checkedLevel(values);
  const [value = ''] = values;
  if (values.length > 1) throw invalid(name, `expect only 1 value for '${name}'`);
  const least = LEAST[name] ?? 0;
  if (!/^-?\d{1,10}$/.test(value)) throw invalid(name, `Unable to parse '${name}', got: ${value}`);
  if (Number(value) < least || Number(value) > MAX_NUMBER) {
    throw invalid(name, `Unable to parse '${name}'. Expecting value >= ${least}, got: ${value}`);
  }
  return [value];
}

function checkedLevel(values: readonly string[]): readonly string[] {
  if (values.includes('OFF') && values.length > 1) {
    throw invalid('trace_level', "Expect only one trace level 'OFF' is specified");
  }
  const asked = values.find((level) => level !== 'OFF');
  if (asked === undefined) return ['OFF'];
  const instead = "requests are not traced into a file; a graph's profiler_config traces its sessions";
  throw invalid('trace_level', `Attempting to set invalid trace setting :trace file name is not given: ${instead}`);
}

function invalid(name: string, message: string): MillraceError {
  return new MillraceError('INVALID_PARAMETER', message, { details: { parameter: name } });
}

function fixedFile(): MillraceError {
  return new MillraceError('NOT_SUPPORTED', 'trace file location can not be updated through network protocol', {
    details: { parameter: 'trace_file' },
  });
}
