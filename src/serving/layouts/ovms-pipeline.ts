import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { knownNames } from '../../base/nearest.ts';
import { strictObject } from '../../base/schema-issues.ts';
import type { EnsembleSpec, EnsembleStep, ModelSpec } from '../servable-spec.ts';
import { inOrder } from '../versions.ts';
import { ensembleGraph, type EnsemblePort } from './ensemble-graph.ts';
import { fingerprintOf } from './fingerprint.ts';
import { readOnnxSignature, type OnnxSignature, type OnnxTensor } from './triton/onnx-signature.ts';
import { toDatatype } from './triton/tensors.ts';

const source = strictObject({ node_name: z.string(), data_item: z.string() });
/** `{"tensor": {"node_name": …, "data_item": …}}`, one of them or several. */
const connections = z.array(z.record(z.string(), source));

/** An entry of `pipeline_config_list`: OVMS's DAG of models. */
export const pipelineEntrySchema = strictObject({
  name: z.string().min(1),
  inputs: z.array(z.string().min(1)).min(1),
  outputs: connections.min(1),
  nodes: z
    .array(
      strictObject({
        name: z.string().min(1),
        type: z.string(),
        model_name: z.string().min(1).optional(),
        version: z.int().min(0).optional(),
        inputs: connections.min(1),
        outputs: z.array(strictObject({ data_item: z.string(), alias: z.string() })).min(1),
        library_name: z.unknown().optional(),
        params: z.unknown().optional(),
        demultiply_count: z.unknown().optional(),
        gather_from_node: z.unknown().optional(),
      }),
    )
    .min(1),
  demultiply_count: z.unknown().optional(),
});

export type PipelineEntry = z.infer<typeof pipelineEntrySchema>;
type Node = PipelineEntry['nodes'][number];

/** Where a pipeline's own inputs come from. */
const REQUEST = 'request';

/**
 * A pipeline of models alone, as an ensemble. Its tensors are as the models' files say.
 * @throws MillraceError CONFIG_INVALID for what an ensemble cannot do, with what to write instead
 */
export async function readPipelineEntry(entry: PipelineEntry, models: readonly ModelSpec[]): Promise<EnsembleSpec> {
  refuseOthers(entry);
  const found = new Map<string, OnnxSignature>();
  const paths: string[] = [];
  for (const node of entry.nodes) {
    const model = modelOf(node, models);
    const signature = await readOnnxSignature(model.path);
    if (signature === undefined) throw invalid(`${at(node)}: the inputs of model "${model.name}" cannot be read`);
    found.set(node.name, signature);
    paths.push(model.path);
  }
  const pipeline = new Pipeline(entry, found);
  const steps = entry.nodes.map((node) => pipeline.step(node));
  const inputs = entry.inputs.map((name) => ({ name, tensor: tensorOf(REQUEST, name) }));
  const outputs = entry.outputs.flatMap((each) =>
    Object.entries(each).map(([name, { node_name: node, data_item: item }]) => ({
      name,
      ...pipeline.source(node, item, `outputs "${name}"`),
    })),
  );
  const graph = ensembleGraph(inputs, outputs, steps);
  const spec = {
    kind: 'ensemble' as const,
    name: entry.name,
    version: '1',
    graphText: graph.text,
    steps: graph.steps,
    streams: graph.streams,
    models: graph.models,
    signature: {
      maxBatchSize: 0,
      inputs: inputs.map((port) => pipeline.taken(port)),
      outputs: outputs.map(({ name, spec: given }) => specOf(name, given)),
    },
  };
  return { ...spec, files: [], fingerprint: await fingerprintOf(spec, paths) };
}

/** The tensors of a pipeline and what is known of them. */
class Pipeline {
  readonly #entry: PipelineEntry;
  readonly #signatures: ReadonlyMap<string, OnnxSignature>;

  constructor(entry: PipelineEntry, signatures: ReadonlyMap<string, OnnxSignature>) {
    this.#entry = entry;
    this.#signatures = signatures;
  }

  step(node: Node): EnsembleStep {
    const inputs: Record<string, string> = {};
    for (const [name, { node_name: from, data_item: item }] of node.inputs.flatMap((each) => Object.entries(each))) {
      this.#known(node, 'inputs', name);
      inputs[name] =
        from === REQUEST ? this.#request(node, item) : this.source(from, item, `${at(node)}: input "${name}"`).tensor;
    }
    const missing = this.#signatures.get(node.name)?.inputs.find(({ name }) => inputs[name] === undefined);
    if (missing !== undefined) throw invalid(`${at(node)}: input "${missing.name}" of its model is not connected`);
    const outputs = Object.fromEntries(
      node.outputs.map(({ data_item: item, alias }) => {
        this.#known(node, 'outputs', item);
        return [item, tensorOf(node.name, alias)];
      }),
    );
    return { model: node.model_name ?? '', version: versionOf(node), inputs, outputs };
  }

  /** The tensor that a node gives under an alias, and what it is. */
  source(nodeName: string, alias: string, where: string): { readonly tensor: string; readonly spec: OnnxTensor } {
    const node = this.#entry.nodes.find(({ name }) => name === nodeName);
    if (node === undefined) {
      const names = this.#entry.nodes.map(({ name }) => name);
      throw invalid(`${where}: there is no node "${nodeName}"${knownNames('node', nodeName, names)}`);
    }
    const output = node.outputs.find((each) => each.alias === alias);
    if (output === undefined) {
      const aliases = node.outputs.map((each) => each.alias);
      throw invalid(`${where}: node "${nodeName}" has no output "${alias}"${knownNames('output', alias, aliases)}`);
    }
    return { tensor: tensorOf(nodeName, alias), spec: this.#known(node, 'outputs', output.data_item) };
  }

  /** What the first model that takes a pipeline's input expects of it. */
  taken({ name }: EnsemblePort) {
    for (const node of this.#entry.nodes) {
      for (const [tensor, from] of node.inputs.flatMap((each) => Object.entries(each))) {
        if (from.node_name === REQUEST && from.data_item === name)
          return specOf(name, this.#known(node, 'inputs', tensor));
      }
    }
    throw invalid(`inputs: "${name}" is not used`);
  }

  #request(node: Node, item: string): string {
    const { inputs } = this.#entry;
    if (inputs.includes(item)) return tensorOf(REQUEST, item);
    throw invalid(`${at(node)}: the pipeline has no input "${item}"${knownNames('input', item, inputs)}`);
  }

  #known(node: Node, side: 'inputs' | 'outputs', name: string): OnnxTensor {
    const tensors = this.#signatures.get(node.name)?.[side] ?? [];
    const found = tensors.find((tensor) => tensor.name === name);
    if (found !== undefined) return found;
    const what = side === 'inputs' ? 'input' : 'output';
    const names = tensors.map((tensor) => tensor.name);
    throw invalid(`${at(node)}: model "${node.model_name}" has no ${what} "${name}"${knownNames(what, name, names)}`);
  }
}

function refuseOthers(entry: PipelineEntry): void {
  const graph = 'write the pipeline as a graph (mediapipe_config_list)';
  if (entry.demultiply_count !== undefined) {
    throw invalid(`demultiply_count: batches are not taken apart; ${graph}, or batch in the model`);
  }
  for (const node of entry.nodes) {
    for (const key of ['demultiply_count', 'gather_from_node'] as const) {
      if (node[key] !== undefined)
        throw invalid(`${at(node)}: ${key}: batches are not taken apart; ${graph}, or batch in the model`);
    }
    if (node.type !== 'DL model' || node.library_name !== undefined) {
      throw invalid(
        `${at(node)}: type "${node.type}" given, "DL model" expected: native libraries are not loaded; ${graph}, with a ScriptCalculator or a calculator of yours in the node's place`,
      );
    }
  }
  const names = entry.nodes.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i || name === REQUEST);
  if (twice !== undefined) throw invalid(`nodes: the name "${twice}" is taken`);
}

function modelOf(node: Node, models: readonly ModelSpec[]): ModelSpec {
  const name = node.model_name ?? '';
  const versions = inOrder(models.filter((model) => model.name === name));
  const version = versionOf(node);
  const found = version === '' ? versions.at(-1) : versions.find((model) => model.version === version);
  if (found !== undefined) return found;
  const known = models.map((model) => model.name);
  const which =
    version === '' || versions.length === 0 ? `no model "${name}"` : `no version ${version} of model "${name}"`;
  throw invalid(
    `${at(node)}: model_name: there is ${which}${versions.length === 0 ? knownNames('model', name, new Set(known)) : ''}`,
  );
}

const versionOf = ({ version = 0 }: Node): string => (version === 0 ? '' : String(version));
const tensorOf = (node: string, item: string): string => JSON.stringify([node, item]);
const at = ({ name }: Node): string => `node "${name}"`;

function specOf(name: string, { datatype = 'TYPE_INVALID', shape = [] }: OnnxTensor) {
  return { name, datatype: toDatatype(datatype), shape };
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
