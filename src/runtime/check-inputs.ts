import { MillraceError, type Reason } from '../base/errors.ts';
import { knownNames } from '../base/nearest.ts';
import { expectedBytes, shapeFits, type Tensor, type TensorSpec } from '../tensor/tensor.ts';

const BATCH_NOTE =
  'NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape. If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. See the model configuration docs for more info on max_batch_size.';

/**
 * Checks the inputs of one run against what the model expects: names, datatypes, shapes and byte counts. ONNX Runtime
 * ignores an input that it does not know, so this refuses it. Texts begin as Triton's (KServe sheet §2.5).
 * @param requestId of the request, or "" where the client gave none
 * @param hasBatch their first dimension is a batch, which a configuration's dims do not show
 * @throws MillraceError about the first fault found
 */
export function checkInputs(
  model: string,
  specs: readonly TensorSpec[],
  tensors: readonly Tensor[],
  requestId = '',
  hasBatch = false,
): void {
  const prefix = `[request id: ${requestId === '' ? '<id_unknown>' : requestId}] `;
  const given = new Set<string>();
  for (const tensor of tensors) {
    const { name } = tensor;
    if (given.has(name)) fail('DUPLICATE_INPUT', `${prefix}input '${name}' already exists in request`, model, name);
    given.add(name);
  }
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  for (const { name } of tensors) {
    if (!byName.has(name)) {
      const hint = knownNames('input', name, byName.keys());
      fail('UNEXPECTED_INPUT', `unexpected inference input '${name}' for model '${model}'${hint}`, model, name);
    }
  }
  checkMissing(model, specs, given, prefix);
  for (const tensor of tensors) {
    const spec = byName.get(tensor.name);
    if (spec !== undefined) checkInput(model, spec, tensor, prefix, hasBatch);
  }
}

function checkMissing(model: string, specs: readonly TensorSpec[], given: ReadonlySet<string>, prefix: string): void {
  const required = specs.filter((spec) => spec.optional !== true);
  const missing = required.filter((spec) => !given.has(spec.name)).map((spec) => spec.name);
  const [first] = missing;
  if (first === undefined) return;
  const expected =
    required.length === specs.length
      ? `expected ${specs.length} inputs`
      : `expected number of inputs between ${required.length} and ${specs.length}`;
  fail(
    'MISSING_INPUT',
    `${prefix}${expected} but got ${given.size} inputs for model '${model}'. Got input(s) ${quoted([...given])}, but ` +
      `missing required input(s) ${quoted(missing)}. Please provide all required input(s).`,
    model,
    first,
  );
}

function checkInput(model: string, spec: TensorSpec, tensor: Tensor, prefix: string, hasBatch: boolean): void {
  const { name, datatype, shape, data } = tensor;
  if (datatype !== spec.datatype) {
    fail(
      'WRONG_DATATYPE',
      `${prefix}inference input '${name}' data-type is '${datatype}', but model '${model}' expects '${spec.datatype}'`,
      model,
      name,
    );
  }
  if (shape.some((dim) => dim < 0)) {
    fail(
      'WRONG_SHAPE',
      `${prefix}All input dimensions should be specified for input '${name}' for model '${model}', got ${list(shape)}`,
      model,
      name,
    );
  }
  if (!shapeFits(spec.shape, shape)) {
    // The blank at the end is Triton's: its note on batching may follow.
    fail(
      'WRONG_SHAPE',
      `${prefix}unexpected shape for input '${name}' for model '${model}'. Expected ${list(spec.shape)}, got ${list(shape)}. ${hasBatch ? BATCH_NOTE : ''}`,
      model,
      name,
    );
  }
  const bytes = expectedBytes(datatype, shape);
  if (bytes !== undefined && bytes !== data.byteLength) {
    fail(
      'WRONG_BYTE_SIZE',
      `${prefix}input byte size mismatch for input '${name}' for model '${model}'. Expected ${bytes}, got ${data.byteLength}`,
      model,
      name,
    );
  }
}

function fail(reason: Reason, message: string, model: string, tensor: string): never {
  throw new MillraceError(reason, message, { details: { model, tensor } });
}

const list = (shape: readonly number[]) => `[${shape.join(',')}]`;
const quoted = (names: readonly string[]) => `[${names.map((name) => `'${name}'`).join(',')}]`;
