import { join } from 'node:path';
import { ROOT } from './paths.ts';
import type { ScratchFolder } from './scratch-folder.ts';

export interface ScriptNode {
  /** `file#export`; the default export without `#`. */
  readonly script: string;
  /** Names of its streams, inputs and outputs alike in number. */
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  /** LOOPBACK on both sides with the handler for it. */
  readonly loopback?: boolean;
  readonly immediate?: boolean;
  readonly shared?: boolean;
}

/** The text of a graph with one ScriptCalculator node. */
export function scriptGraph(node: ScriptNode): string {
  const { script, inputs = ['in'], outputs = ['out'], loopback = false, immediate = false, shared = false } = node;
  const [path = '', exported = 'default'] = script.split('#');
  const list = (field: string, entries: readonly string[]): string =>
    entries.map((entry) => `${field}: "${entry}"`).join(' ');
  return `
    ${list('input_stream', inputs)} ${list('output_stream', outputs)}
    node {
      name: "script" calculator: "ScriptCalculator"
      ${list(
        'input_stream',
        inputs.map((name, i) => `INPUT:${i}:${name}`),
      )}
      ${list(
        'output_stream',
        outputs.map((name, i) => `OUTPUT:${i}:${name}`),
      )}
      ${loopback ? LOOPBACK : ''}
      ${immediate ? 'input_stream_handler { input_stream_handler: "ImmediateInputStreamHandler" }' : ''}
      node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] {
        handler_path: "${path}" export: "${exported}" shared: ${shared}
      } }
    }`;
}

const LOOPBACK = `
  input_stream: "LOOPBACK:again" output_stream: "LOOPBACK:again"
  input_stream_info { tag_index: "LOOPBACK:0" back_edge: true }
  input_stream_handler {
    input_stream_handler: "SyncSetInputStreamHandler"
    options { [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: "LOOPBACK:0" } } }
  }`;

/** Copies fixtures of `test/fixtures/calculators` beside the graphs: outside the project, as a user's folder is. */
export async function copyScripts(folder: ScratchFolder, paths: readonly string[]): Promise<void> {
  for (const path of paths) await folder.copy(join(ROOT, 'test/fixtures/calculators', path), path);
}
