import { messageOf } from '../../../base/errors.ts';
import type { BrokenServable, ClassTraits, EnsembleSpec, EnsembleStep } from '../../servable-spec.ts';
import { ensembleGraph } from '../ensemble-graph.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { scheduleFaults, stepFault, stepVersion, type KnownStep } from './ensemble-checks.ts';
import { readLabels } from './labels.ts';
import type { EnsembleStep as ConfigStep, ModelConfig } from './model-config.ts';
import type { ModelFolder, ModelVersion } from './model-folder.ts';
import { ownParameters } from './own-parameters.ts';
import { signatureOf } from './tensors.ts';

/** The ensembles among the models, checked against the models of their steps. */
export async function ensembleSpecs(
  folders: readonly ModelFolder[],
): Promise<{ readonly specs: EnsembleSpec[]; readonly broken: BrokenServable[] }> {
  const specs: EnsembleSpec[] = [];
  const broken: BrokenServable[] = [];
  for (const model of folders.flatMap(({ versions }) => versions)) {
    if (model.server !== 'ensemble') continue;
    try {
      specs.push(await ensembleSpec(model, folders));
    } catch (error) {
      const { name, version } = model;
      broken.push({ name, version, kind: 'ensemble', reason: messageOf(error) });
    }
  }
  return { specs, broken };
}

async function ensembleSpec(model: ModelVersion, folders: readonly ModelFolder[]): Promise<EnsembleSpec> {
  const { name, version, config, file, files } = model;
  const faults = scheduleFaults(file, name);
  if (faults.length > 0) throw new Error(faults.join('; '));
  const fault = stepFault(config, name, (step, wanted) => knownStep(findVersion(folders, step, wanted)));
  if (fault !== undefined) throw new Error(`${file.place('ensemble_scheduling.step')}: ${fault}`);
  const own = ({ name: each }: { readonly name: string }) => ({ name: each, tensor: each });
  const steps = flatSteps(config, folders, 0);
  const { classes, files: labelFiles } = await readLabels(model);
  const graph = ensembleGraph(config.input.map(own), config.output.map(own), steps);
  const spec = {
    kind: 'ensemble' as const,
    name,
    version,
    graphText: graph.text,
    steps: graph.steps,
    streams: graph.streams,
    models: graph.models,
    signature: signatureOf(config),
    maxSessions: ownParameters(file, 'ensemble').max_sessions,
    config,
    classes: { ...classes, labels: { ...labelsOfSteps(steps, folders), ...classes.labels } },
  };
  const all = [...files, ...labelFiles];
  return { ...spec, files: all, fingerprint: await fingerprintOf(spec, all) };
}

/** Ensembles within ensembles; more is a circle. */
const MAX_DEPTH = 32;

/**
 * Steps without ensembles: those of an ensemble within take its place, and its tensors the names that the outer one gives them.
 * @throws Error for ensembles that contain each other
 */
function flatSteps(
  { ensemble_scheduling: given }: ModelConfig,
  folders: readonly ModelFolder[],
  depth: number,
): EnsembleStep[] {
  if (depth > MAX_DEPTH) throw new Error('the ensemble contains itself');
  const steps: readonly ConfigStep[] = given?.step ?? [];
  const maxInflight = given?.max_inflight_requests ?? 0;
  return steps.flatMap((step, i) => {
    const { model_name: model, input_map: inputs, output_map: outputs } = step;
    const version = stepVersion(step.model_version);
    const inner = ensembleOf(folders, model, version);
    if (inner === undefined) return [{ model, version, inputs, outputs, maxInflight }];
    const outer = (tensor: string): string => inputs[tensor] ?? outputs[tensor] ?? JSON.stringify([depth, i, tensor]);
    const renamed = (map: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(map).map(([name, tensor]) => [name, outer(tensor)]));
    return flatSteps(inner, folders, depth + 1).map((each) => ({
      ...each,
      inputs: renamed(each.inputs),
      outputs: renamed(each.outputs),
    }));
  });
}

/** An output without labels of its own has those of the model that it comes from, as in Triton. */
function labelsOfSteps(steps: readonly EnsembleStep[], folders: readonly ModelFolder[]): ClassTraits['labels'] {
  const specs = folders.flatMap((folder) => folder.specs);
  const labels: Record<string, readonly string[]> = {};
  for (const { model, version, outputs } of steps) {
    const spec = specs.findLast((each) => each.name === model && (version === '' || each.version === version));
    for (const [name, tensor] of Object.entries(outputs)) {
      const found = spec?.classes?.labels[name];
      if (found !== undefined) labels[tensor] = found;
    }
  }
  return labels;
}

function knownStep(version: ModelVersion | undefined): KnownStep | undefined {
  return version && { config: version.config, isOpen: version.server === 'graph' || version.server === 'runtime' };
}

/** @param wanted "" is the highest */
function findVersion(folders: readonly ModelFolder[], name: string, wanted: string): ModelVersion | undefined {
  const versions = folders.find((folder) => folder.name === name)?.versions ?? [];
  return wanted === '' ? versions.at(-1) : versions.find(({ version }) => version === wanted);
}

function ensembleOf(folders: readonly ModelFolder[], name: string, wanted: string): ModelConfig | undefined {
  const found = findVersion(folders, name, wanted);
  return found?.server === 'ensemble' ? found.config : undefined;
}
