import { MillraceError } from '../base/errors.ts';

type Variables = Readonly<Record<string, string | undefined>>;

interface Variable {
  readonly field: string;
  readonly isAdaptive: boolean;
  readonly type: 'number' | 'whole number' | 'boolean';
}

/** Roboflow's variables of video sources (sheet §3), and what they are in `pipelines.sources`. */
const VARIABLES: Readonly<Record<string, Variable>> = {
  VIDEO_SOURCE_BUFFER_SIZE: { field: 'buffer_size', isAdaptive: false, type: 'whole number' },
  VIDEO_SOURCE_ADAPTIVE_MODE_STREAM_PACE_TOLERANCE: adaptive('adaptive_mode_stream_pace_tolerance', 'number'),
  VIDEO_SOURCE_ADAPTIVE_MODE_READER_PACE_TOLERANCE: adaptive('adaptive_mode_reader_pace_tolerance', 'number'),
  VIDEO_SOURCE_MINIMUM_ADAPTIVE_MODE_SAMPLES: adaptive('minimum_adaptive_mode_samples', 'whole number'),
  VIDEO_SOURCE_MAXIMUM_ADAPTIVE_FRAMES_DROPPED_IN_ROW: adaptive(
    'maximum_adaptive_frames_dropped_in_row',
    'whole number',
  ),
  VIDEO_SOURCE_ADAPTIVE_BACKPRESSURE: adaptive('backpressure', 'boolean'),
};

function adaptive(field: string, type: Variable['type']): Variable {
  return { field, isAdaptive: true, type };
}

/**
 * The section `pipelines` of the configuration with what Roboflow's variables ask for beneath its `sources`: what the file
 * says goes before them.
 * @throws MillraceError CONFIG_INVALID naming the variable
 */
export function withVideoSourceVariables(section: unknown, variables: Variables): unknown {
  const own: Record<string, unknown> = {};
  const ofAdaptive: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(VARIABLES)) {
    const text = variables[name]?.trim();
    if (text === undefined || text === '') continue;
    (variable.isAdaptive ? ofAdaptive : own)[variable.field] = read(name, text, variable.type);
  }
  if (Object.keys({ ...own, ...ofAdaptive }).length === 0) return section;
  const given = isObject(section) ? section : {};
  const sources = given['sources'] ?? {};
  // What is no object is complained of where the section is read.
  if ((section !== undefined && !isObject(section)) || !isObject(sources)) return section;
  const inner = sources['adaptive'] ?? {};
  if (!isObject(inner)) return section;
  return { ...given, sources: { ...own, ...sources, adaptive: { ...ofAdaptive, ...inner } } };
}

function read(name: string, text: string, type: Variable['type']): number | boolean {
  if (type === 'boolean') {
    if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
    throw invalid(name, text, 'True or False');
  }
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw invalid(name, text, `a ${type} of 0 or more`);
  if (type === 'whole number' && !Number.isInteger(value)) throw invalid(name, text, 'a whole number');
  return value;
}

function invalid(name: string, text: string, expected: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `${name}: ${JSON.stringify(text)} given, ${expected} expected`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
