import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT } from '../../support/paths.ts';

export const OVMS_FOLDER = join(ROOT, 'test/conformance/ovms');

/** A number: FP32 [1]; four of them: FP32 [1,4]; "": FP32 [1] without any bytes. Raw contents all. */
type Value = number | readonly number[] | '';

/** A stream of requests, half-closed at once, and all that comes back. */
export interface StreamCase {
  /** The number of OVMS's test (streaming_test.cpp), else where the rule comes from. */
  readonly test: number | string;
  readonly name: string;
  readonly graph: string;
  readonly requests: readonly {
    readonly inputs: Readonly<Record<string, Value>>;
    /** int64 in digits. */
    readonly timestamp?: string;
    readonly parameters?: Readonly<Record<string, string | number>>;
    readonly servable?: string;
    readonly version?: string;
  }[];
  /** Errors and outputs each in their order. */
  readonly responses: readonly (
    | { readonly error: string }
    | { readonly outputs: Readonly<Record<string, number | readonly number[]>>; readonly timestamp: string }
  )[];
  /** Where nothing says which output comes first. */
  readonly anyOrder?: boolean;
  /** The RPC's status; `text` is a part of it. */
  readonly status: { readonly code: number; readonly text?: string };
}

/** Of the graphs of this folder. */
export const STREAM_CASES = casesOf('stream-cases.json');
/** Of graphs with a ScriptCalculator, in `ovms-script.test.ts`. */
export const SCRIPT_CASES = casesOf('script-cases.json');

function casesOf(file: string): StreamCase[] {
  return JSON.parse(readFileSync(join(OVMS_FOLDER, file), 'utf8')) as StreamCase[];
}

/** What `run_cases.py` prints when each case is as it should be. */
export function allOk(cases: readonly StreamCase[]): Readonly<Record<string, 'ok'>> {
  return Object.fromEntries(cases.map(({ test, name }) => [`${test} ${name}`, 'ok']));
}

/** A configuration with all of the folder's graphs, the calculators and the model. */
export const OVMS_CONFIG = {
  calculators: [join(OVMS_FOLDER, 'calculators.ts')],
  mediapipe_config_list: readdirSync(join(OVMS_FOLDER, 'graphs')).map((file) => ({
    name: basename(file, '.pbtxt'),
    graph_path: join(OVMS_FOLDER, 'graphs', file),
    isolation: 'shared',
  })),
  model_config_list: [{ config: { name: 'add', base_path: join(ROOT, 'test/fixtures/models/add.onnx') } }],
};
