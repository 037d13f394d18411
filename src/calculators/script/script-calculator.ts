import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import { SCRIPT_SERVICE } from '../../runtime/script/script-service.ts';
import { checkLoopback, openScript, scriptPorts } from './script-node.ts';

const scriptOptions = z.object({
  handlerPath: z.string().min(1).describe("The user's module, relative to the graph file's folder."),
  export: z.string().min(1).default('default').describe('Which of its exports is the script.'),
  shared: z
    .boolean()
    .default(false)
    .describe('One object for all sessions, initialized when the graph is loaded; else one for each session.'),
});

/** Options of a ScriptCalculator node, as its graph file gives them. */
export type ScriptOptions = z.infer<typeof scriptOptions>;

/**
 * Runs a user's module (see `ScriptHandler`), as OVMS's PythonExecutorCalculator does with Python (OVMS sheet §5.5). Inputs
 * and outputs carry tensors, whatever their tags; with an input policy that does not wait for all inputs, those that are
 * missing are left out. For generators, LOOPBACK ties the node to itself:
 *
 * node {
 *   name: "words"
 *   calculator: "ScriptCalculator"
 *   input_stream: "TEXT:text"
 *   input_stream: "LOOPBACK:again"
 *   input_stream_info { tag_index: "LOOPBACK:0" back_edge: true }
 *   input_stream_handler {
 *     input_stream_handler: "SyncSetInputStreamHandler"
 *     options { [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: "LOOPBACK:0" } } }
 *   }
 *   output_stream: "WORD:word"
 *   output_stream: "LOOPBACK:again"
 *   node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] { handler_path: "words.ts" } }
 * }
 */
export const scriptCalculator = defineCalculator({
  name: 'ScriptCalculator',
  options: scriptOptions,
  inputs: scriptPorts,
  outputs: scriptPorts,
  services: [SCRIPT_SERVICE],
  contract: (node) => checkLoopback(node),
  open(context) {
    return openScript(context, context.options.shared);
  },
});
