import { messageOf } from '../../../base/errors.ts';
import type { BrokenServable, EnsembleSpec } from '../../servable-spec.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { scheduleFaults, stepFault } from './ensemble-checks.ts';
import { ensembleGraph } from './ensemble-graph.ts';
import type { ModelConfig } from './model-config.ts';
import type { ModelFolder, ModelVersion } from './model-folder.ts';
import { NAMES } from './platform.ts';
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
  refuseOthers(model, folders);
  const fault = stepFault(config, name, (step, wanted) => findVersion(folders, step, wanted)?.config);
  if (fault !== undefined) throw new Error(`${file.place('ensemble_scheduling.step')}: ${fault}`);
  const graph = ensembleGraph(config, (step, wanted) => ensembleOf(folders, step, wanted));
  const spec = {
    kind: 'ensemble' as const,
    name,
    version,
    graphText: graph.text,
    streams: graph.streams,
    models: graph.models,
    signature: signatureOf(config),
    config,
  };
  return { ...spec, files, fingerprint: await fingerprintOf(spec, files) };
}

/** Steps that a graph's inference nodes cannot run. */
function refuseOthers({ config, file, name }: ModelVersion, folders: readonly ModelFolder[]): void {
  for (const step of config.ensemble_scheduling?.step ?? []) {
    const other = findVersion(folders, step.model_name, '');
    if (other?.server !== 'graph' && other?.server !== 'runtime') continue;
    const { platform } = NAMES[other.server];
    throw new Error(
      `${file.place('ensemble_scheduling.step')}: step "${step.model_name}" of ensemble '${name}' is a ${platform}, an ONNX model or an ensemble expected; write the whole as a graph, whose nodes may run your code`,
    );
  }
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
