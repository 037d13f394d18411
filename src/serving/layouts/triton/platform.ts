import { MillraceError } from '../../../base/errors.ts';
import { conversionHint } from '../../../base/model-files.ts';
import type { ConfigFile } from './config-file.ts';

/** What serves a model of the repository. */
export type Server = 'onnx' | 'graph' | 'runtime' | 'ensemble';

/** Triton's `backend` and `platform` as a completed configuration tells them. */
export const NAMES: Readonly<Record<Server, { readonly backend: string; readonly platform: string }>> = {
  onnx: { backend: 'onnxruntime', platform: 'onnxruntime_onnx' },
  graph: { backend: 'millrace', platform: 'millrace_graph' },
  runtime: { backend: 'millrace_runtime', platform: 'millrace_runtime' },
  ensemble: { backend: '', platform: 'ensemble' },
};

/** Files of a version's folder that say what it is, where `default_model_filename` does not; the first that is there. */
export const DEFAULT_FILES: Readonly<Record<Server, readonly string[]>> = {
  onnx: ['model.onnx', 'model.ort'],
  graph: ['graph.pbtxt', 'model.pbtxt'],
  runtime: ['model.ts', 'model.mts', 'model.js', 'model.mjs', 'model.cjs'],
  ensemble: [],
};

const ONNX = 'convert the model to ONNX (backend: "onnxruntime")';

/** Backends of Triton that there are none of here, with what to do instead. */
const OTHERS: Readonly<Record<string, string>> = {
  python:
    'Triton\'s Python models (TritonPythonModel) are not run; write a runtime, backend: "millrace_runtime" with a model.ts or a Python class (docs/runtimes.md)',
  tensorrt: 'a TensorRT plan is not loaded; give the ONNX file with gpu_execution_accelerator "tensorrt"',
  tensorflow: 'python -m tf2onnx.convert makes an ONNX file of it',
  pytorch: 'torch.onnx.export makes an ONNX file of it',
  openvino: ONNX,
  dali: 'decode and resize in a graph',
  fil: 'convert the trees to ONNX (hummingbird-ml, skl2onnx)',
  vllm: 'language models are not served',
  tensorrtllm: 'language models are not served',
  identity: 'write a graph of PassThroughCalculator, or a runtime',
};

/**
 * What serves the model: by `backend` and `platform`, else by the files of its version.
 * @param files of the version that is served
 * @throws MillraceError CONFIG_INVALID with what to do instead
 */
export function serverOf({ config, place }: ConfigFile, name: string, files: readonly string[]): Server {
  const { backend, platform, default_model_filename: named } = config;
  for (const [server, names] of Object.entries(NAMES) as [Server, (typeof NAMES)[Server]][]) {
    const isNamed = backend !== '' && backend === names.backend;
    if (isNamed || (backend === '' && platform === names.platform)) return server;
  }
  if (backend !== '' || platform !== '') {
    const field = backend === '' ? 'platform' : 'backend';
    const given = config[field];
    const known = Object.values(NAMES).map((names) => names[field]);
    const instead = OTHERS[given.replace(/_.*$/, '')];
    const expected = known.filter((each) => each !== '').map((each) => `"${each}"`);
    throw invalid(
      `${place(field)}: "${given}" given, ${expected.join(', ')} expected${instead === undefined ? '' : `: ${instead}`}`,
    );
  }
  const candidates = named === '' ? files : [named];
  const server = (['onnx', 'graph', 'runtime'] as const).find((each) =>
    candidates.some((file) => isFileOf(each, file, named !== '')),
  );
  if (server !== undefined) return server;
  const hint = candidates.includes('model.py') ? OTHERS['python'] : conversionHint(candidates);
  throw invalid(
    `Invalid model name: Could not determine backend for model '${name}' with no backend in model configuration.${
      hint === undefined
        ? ` A version folder with ${Object.values(DEFAULT_FILES)
            .flatMap(([first]) => first ?? [])
            .join(', ')} expected.`
        : ` ${hint}.`
    }`,
  );
}

/** By the extension alone where the file is named in the configuration. */
function isFileOf(server: Server, file: string, isNamed: boolean): boolean {
  const defaults = DEFAULT_FILES[server];
  if (defaults.includes(file)) return true;
  const extension = file.slice(file.lastIndexOf('.'));
  return isNamed && defaults.some((name) => name.endsWith(extension));
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
