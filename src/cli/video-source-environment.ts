import { MillraceError } from '../base/errors.ts';

type Variables = Readonly<Record<string, string | undefined>>;

interface Variable {
  /** In the section `pipelines`. */
  readonly path: readonly string[];
  readonly type: 'number' | 'whole number' | 'boolean';
}

const SOURCES = ['sources'];
const ADAPTIVE = ['sources', 'adaptive'];

/** Roboflow's variables of pipelines and their sources (sheet §2, §3), and what they are in `pipelines`. */
const VARIABLES: Readonly<Record<string, Variable>> = {
  VIDEO_SOURCE_BUFFER_SIZE: { path: [...SOURCES, 'buffer_size'], type: 'whole number' },
  VIDEO_SOURCE_ADAPTIVE_MODE_STREAM_PACE_TOLERANCE: {
    path: [...ADAPTIVE, 'adaptive_mode_stream_pace_tolerance'],
    type: 'number',
  },
  VIDEO_SOURCE_ADAPTIVE_MODE_READER_PACE_TOLERANCE: {
    path: [...ADAPTIVE, 'adaptive_mode_reader_pace_tolerance'],
    type: 'number',
  },
  VIDEO_SOURCE_MINIMUM_ADAPTIVE_MODE_SAMPLES: {
    path: [...ADAPTIVE, 'minimum_adaptive_mode_samples'],
    type: 'whole number',
  },
  VIDEO_SOURCE_MAXIMUM_ADAPTIVE_FRAMES_DROPPED_IN_ROW: {
    path: [...ADAPTIVE, 'maximum_adaptive_frames_dropped_in_row'],
    type: 'whole number',
  },
  VIDEO_SOURCE_ADAPTIVE_BACKPRESSURE: { path: [...ADAPTIVE, 'backpressure'], type: 'boolean' },
  INFERENCE_PIPELINE_RESTART_ATTEMPT_DELAY: { path: [...SOURCES, 'reconnect_delay_s'], type: 'whole number' },
  ENABLE_FRAME_DROP_ON_VIDEO_FILE_RATE_LIMITING: { path: [...SOURCES, 'drop_frames_of_files'], type: 'boolean' },
  INFERENCE_PIPELINE_PREDICTIONS_QUEUE_SIZE: { path: ['predictions_queue_size'], type: 'whole number' },
  STREAM_MANAGER_MAX_ACTIVE_PIPELINES: { path: ['max_pipelines'], type: 'whole number' },
};

/**
 * The section `pipelines` of the configuration with what Roboflow's variables ask for beneath it: what the file says goes
 * before them.
 * @throws MillraceError CONFIG_INVALID naming the variable
 */
export function withVideoSourceVariables(section: unknown, variables: Variables): unknown {
  const given = Object.entries(VARIABLES).flatMap(([name, { path, type }]) => {
    const text = variables[name]?.trim() ?? '';
    return text === '' ? [] : [{ path, value: read(name, text, type) }];
  });
  return given.reduce((beneath, { path, value }) => put(beneath, path, value), section);
}

/** What is no object is complained of where the section is read, and stays as it is. */
function put(section: unknown, [field = '', ...deeper]: readonly string[], value: number | boolean): unknown {
  if (section !== undefined && !isObject(section)) return section;
  const present = section?.[field];
  if (deeper.length > 0) return { ...section, [field]: put(present, deeper, value) };
  return present === undefined ? { ...section, [field]: value } : section;
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
