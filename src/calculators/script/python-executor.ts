import { z } from 'zod';
import { anyPacket, defineCalculator, optional } from '../../graph/index.ts';
import { SCRIPT_SERVICE } from '../../runtime/script/script-service.ts';
import { checkLoopback, openScript, scriptPorts } from './script-node.ts';

const pythonOptions = z.object({
  handlerPath: z
    .string()
    .min(1)
    .describe("The user's `.py` file with the class `OvmsPythonModel`, relative to the graph file's folder."),
});

/** Options of a PythonExecutorCalculator node, as its graph file gives them. */
export type PythonOptions = z.infer<typeof pythonOptions>;

/**
 * Runs OVMS's Python handlers (OVMS sheet §5.5): the class `OvmsPythonModel` with `execute(self, inputs)`, which gives a list
 * of `pyovms.Tensor` or is a generator of such lists, and perhaps `initialize(self, kwargs)` and `finalize(self)`. One object
 * serves all sessions; the Python nodes of a graph share one Python process. Generators need LOOPBACK, as of
 * ScriptCalculator.
 *
 * node {
 *   name: "python"
 *   calculator: "PythonExecutorCalculator"
 *   input_side_packet: "PYTHON_NODE_RESOURCES:py"
 *   input_stream: "INPUT:in"
 *   output_stream: "OUTPUT:out"
 *   node_options { [type.googleapis.com/mediapipe.PythonExecutorCalculatorOptions] { handler_path: "model.py" } }
 * }
 */
export const pythonExecutor = defineCalculator({
  name: 'PythonExecutorCalculator',
  options: pythonOptions,
  inputs: scriptPorts,
  outputs: scriptPorts,
  inputSidePackets: { PYTHON_NODE_RESOURCES: optional(anyPacket) },
  services: [SCRIPT_SERVICE],
  contract: (node) => checkLoopback(node),
  open(context) {
    return openScript(context, true);
  },
});
