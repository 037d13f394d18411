import { MillraceError } from '../base/errors.ts';
import { conversionHint, MODEL_EXTENSIONS } from '../base/model-files.ts';
import type { Backend } from './model-session.ts';
import { onnxBackend } from './onnx/backend.ts';

/** Every backend; the first that accepts a file gets it. */
export const backends: readonly Backend[] = [onnxBackend];

/**
 * The backend for a model's file.
 * @throws MillraceError MODEL_INVALID, with how to convert the file where we know
 */
export function backendFor(path: string, among: readonly Backend[] = backends): Backend {
  const backend = among.find((candidate) => candidate.accepts(path));
  if (backend !== undefined) return backend;
  const why =
    conversionHint([path]) ?? `no backend takes files of this kind; ${MODEL_EXTENSIONS.join(' or ')} expected`;
  throw new MillraceError('MODEL_INVALID', `cannot load ${path}: ${why}`, { details: { file: path } });
}
