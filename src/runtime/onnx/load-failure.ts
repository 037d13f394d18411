import { MillraceError } from '../../base/errors.ts';
import type { ExecutionProvider, ModelOptions } from '../model-session.ts';

/** Why one provider did not take a model. */
export interface Refusal {
  readonly provider: ExecutionProvider;
  readonly message: string;
}

/** Faults of the file itself, which no provider mends: what ONNX Runtime says, and what to tell the user. */
const FILE_FAULTS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [
    /Protobuf parsing failed|ModelProto does not have a graph|No graph was found/i,
    () => 'it is truncated or no ONNX model',
  ],
  [
    /No Op registered for (\S+) with domain_version of (\d+)/,
    ([, operator, opset]) => `ONNX Runtime does not know its operator ${operator} (opset ${opset})`,
  ],
  [
    /(\S+?)(?:\(-?\d+\))? is not a registered function\/op/,
    ([, name]) => `ONNX Runtime does not know its operator ${name}`,
  ],
  [
    /Could not find an implementation for (\S+?)\((\d+)\)/,
    ([, operator, opset]) =>
      `ONNX Runtime has no implementation of its operator ${operator} (opset ${opset}) for its datatypes`,
  ],
  [
    /Unsupported model IR version: (\d+), max supported IR version: (\d+)/,
    ([, given, known]) =>
      `its IR version is ${given}, the newest supported is ${known}; export it with an older onnx package`,
  ],
  [
    /Opset (\d+) is under development[\s\S]*?till opset (\d+)/,
    ([, given, known]) => `its opset is ${given}, the newest supported is ${known}; export it with that opset`,
  ],
  [
    /Unsupported data type: 16\b/,
    () =>
      "an input or output is BF16, which ONNX Runtime's Node binding cannot pass; export it with FP32 or FP16 there",
  ],
  [
    /Unsupported data type: (\d+)/,
    ([, type]) => `an input or output has ONNX datatype ${type}, which cannot be passed`,
  ],
  [
    /External data path .*|External data file .*|Failed to (?:map|open) external .*/i,
    ([text]) => `its external data cannot be read: ${text}`,
  ],
];

/** What is wrong with the file, in a user's words; undefined if the message is not about the file. */
export function fileFault(message: string): string | undefined {
  for (const [pattern, explain] of FILE_FAULTS) {
    const match = pattern.exec(message);
    if (match !== null) return explain(match);
  }
  return undefined;
}

/** MODEL_INVALID naming the model and its file. */
export function modelInvalid(options: Pick<ModelOptions, 'name' | 'version' | 'path'>, why: string, cause?: unknown) {
  const { name, version, path } = options;
  return new MillraceError('MODEL_INVALID', `model '${name}' version ${version}: cannot load ${path}: ${why}`, {
    details: { model: name, version, file: path },
    cause,
  });
}

/** One line of a provider's message: without the C++ source locations and log decoration around it. */
export function briefly(message: string): string {
  const line = message.replace(/\s+/g, ' ').trim();
  return line.replace(/^\/\S+\.(?:cc|h):\d+ .*? was false\. /, '').slice(0, 300);
}
