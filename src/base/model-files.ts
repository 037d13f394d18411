import { basename, extname } from 'node:path';

/** What a file with a model that we load ends in, in lower case. */
export const MODEL_EXTENSIONS = ['.onnx', '.ort'] as const;

const TENSORFLOW = 'python -m tf2onnx.convert --saved-model FOLDER --output model.onnx';
const OPENVINO =
  'export the model that it was made from to ONNX (optimum-cli export onnx, or for PyTorch torch.onnx.export)';
const PYTORCH = 'PyTorch: torch.onnx.export(model, example_input, "model.onnx")';
const KERAS = 'Keras: model.export(path, format="onnx")';

/** Formats that ONNX Runtime does not read, by extension, with the way from each to ONNX. */
const CONVERSIONS: Readonly<Record<string, string>> = {
  '.xml': `OpenVINO IR: ${OPENVINO}`,
  '.bin': `the weights of an OpenVINO IR: ${OPENVINO}`,
  '.tflite': 'TensorFlow Lite: python -m tf2onnx.convert --tflite model.tflite --output model.onnx',
  '.pdmodel':
    'PaddlePaddle: paddle2onnx --model_dir FOLDER --model_filename NAME.pdmodel --params_filename NAME.pdiparams --save_file model.onnx',
  '.pdiparams': 'the weights of a PaddlePaddle model: convert the .pdmodel beside it with paddle2onnx',
  '.pb': `TensorFlow: ${TENSORFLOW}`,
  '.h5': KERAS,
  '.keras': KERAS,
  '.pt': PYTORCH,
  '.pth': PYTORCH,
  '.safetensors': 'weights alone: export the model with optimum-cli export onnx',
  '.plan': 'a TensorRT plan: give the ONNX file, and the execution provider tensorrt',
};

/** Whether a file holds a model that we load, by its name alone. */
export function isModelFile(path: string): boolean {
  return (MODEL_EXTENSIONS as readonly string[]).includes(extname(path).toLowerCase());
}

/** How to turn the first of `paths` that is in another known format into ONNX; undefined if none is. */
export function conversionHint(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const hint = CONVERSIONS[extname(path).toLowerCase()];
    if (hint !== undefined) return `"${basename(path)}" is not ONNX but ${hint}`;
  }
  return undefined;
}
