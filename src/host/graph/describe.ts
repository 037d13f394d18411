import type { ServableDescription } from '../../ipc/description.ts';
import { messageOf } from '../../base/errors.ts';
import { inference, inputNames, outputNames, type InferenceOptions } from '../../calculators/model/inference.ts';
import { modelSession, type SessionOptions } from '../../calculators/model/session.ts';
import { tensorName, type TensorNames } from '../../calculators/model/tensor-names.ts';
import { RequestPacketType, ResponsePacketType, TensorPacketType } from '../../calculators/packet-types.ts';
import {
  describeValidatedGraph,
  profilerWarnings,
  type GraphPort,
  type NodePlan,
  type ValidatedGraph,
} from '../../graph/index.ts';
import type { ModelService } from '../../runtime/model-service.ts';
import type { ModelSession } from '../../runtime/model-session.ts';
import type { TensorSpec } from '../../tensor/tensor.ts';
import { formOf } from './ports.ts';

/**
 * A graph's metadata: datatypes and shapes from its calculators' contracts, and of streams that go straight into or come
 * straight out of a model, from that model.
 */
export function describeGraph(graph: ValidatedGraph, models: ModelService): ServableDescription {
  return {
    platform: 'millrace_graph',
    decoupled: false,
    graph: describeValidatedGraph(graph),
    models: [...new Set(graph.nodes.filter(isSession).map((node) => modelOf(node).name))],
    inputs: graph.inputStreams.flatMap((port) => specsOf(port, () => modelSpec(graph, models, port.name, 'inputs'))),
    outputs: graph.outputStreams.flatMap((port) => specsOf(port, () => modelSpec(graph, models, port.name, 'outputs'))),
  };
}

/** Models that the graph names and that are not there, so that its sessions will fail to open; and what has no effect. */
export function graphWarnings(graph: ValidatedGraph, models: ModelService): string[] {
  const missing = graph.nodes.filter(isSession).flatMap((node) => {
    try {
      sessionOf(node, models);
      return [];
    } catch (error) {
      return [`node "${node.name}": ${messageOf(error)}; requests to the graph will fail until it is there`];
    }
  });
  return [...missing, ...profilerWarnings(graph.config)];
}

function specsOf(port: GraphPort, ofModel: () => TensorSpec | undefined): TensorSpec[] {
  const { name, type } = port;
  if (type instanceof RequestPacketType || type instanceof ResponsePacketType) return [...type.tensors];
  if (formOf(port) === 'image') return [{ name, datatype: 'UINT8', shape: [-1, -1, -1] }];
  if (type instanceof TensorPacketType && type.datatype !== undefined) {
    return [{ name, datatype: type.datatype, shape: type.shape ?? [] }];
  }
  const spec = ofModel();
  return [spec === undefined ? { name, datatype: 'INVALID', shape: [] } : { ...spec, name }];
}

/** The model's own spec of the tensor that graph stream `name` carries to or from an inference node. */
function modelSpec(
  graph: ValidatedGraph,
  models: ModelService,
  name: string,
  side: 'inputs' | 'outputs',
): TensorSpec | undefined {
  for (const node of graph.nodes) {
    if (node.definition.name !== inference.name) continue;
    const port = node[side].find((entry) => entry.name === name);
    const session = port && inferenceSession(graph, models, node);
    const tensor = port && tensorName(namesOf(node, side), port.tag);
    const spec = session?.[side].find((candidate) => candidate.name === tensor);
    if (spec !== undefined) return spec;
  }
  return undefined;
}

function inferenceSession(graph: ValidatedGraph, models: ModelService, node: NodePlan): ModelSession | undefined {
  const packet = node.sideInputs.find((entry) => entry.tag === 'SESSION')?.name;
  const maker = graph.nodes.find(
    (candidate) => isSession(candidate) && candidate.sideOutputs.some((entry) => entry.name === packet),
  );
  try {
    return maker && sessionOf(maker, models);
  } catch {
    return undefined; // told by graphWarnings
  }
}

function isSession(node: NodePlan): boolean {
  return node.definition.name === modelSession.name;
}

function sessionOf(node: NodePlan, models: ModelService): ModelSession {
  const { name, version } = modelOf(node);
  return models.session(name, version);
}

function modelOf(node: NodePlan): { name: string; version: string } {
  const { servableName, servableVersion } = node.options as SessionOptions;
  return { name: servableName, version: servableVersion };
}

function namesOf(node: NodePlan, side: 'inputs' | 'outputs'): TensorNames {
  const options = node.options as InferenceOptions;
  return side === 'inputs' ? inputNames(options) : outputNames(options);
}
