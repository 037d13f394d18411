import { extname } from 'node:path';

const TENSORFLOW = 'python -m tf2onnx.convert --saved-model FOLDER --output model.onnx';

/** Model formats of OVMS that ONNX Runtime does not read, by extension, with the way from each to ONNX. */
const CONVERSIONS: Readonly<Record<string, string>> = {
  '.xml': 'OpenVINO IR: export the model that it was made from to ONNX (for PyTorch, torch.onnx.export)',
  '.bin':
    'the weights of an OpenVINO IR: export the model that it was made from to ONNX (for PyTorch, torch.onnx.export)',
  '.tflite': 'TensorFlow Lite: python -m tf2onnx.convert --tflite model.tflite --output model.onnx',
  '.pdmodel':
    'PaddlePaddle: paddle2onnx --model_dir FOLDER --model_filename NAME.pdmodel --params_filename NAME.pdiparams --save_file model.onnx',
  '.pdiparams': 'the weights of a PaddlePaddle model: convert the .pdmodel beside it with paddle2onnx',
  '.pb': `TensorFlow: ${TENSORFLOW}`,
  '.h5': `Keras: save it as a SavedModel, then ${TENSORFLOW}`,
  '.keras': `Keras: save it as a SavedModel, then ${TENSORFLOW}`,
  '.pt': 'PyTorch: torch.onnx.export(model, example_input, "model.onnx")',
  '.pth': 'PyTorch: torch.onnx.export(model, example_input, "model.onnx")',
};

/** How to turn the first of `fileNames` that is in a known format into ONNX; undefined if none is. */
export function conversionHint(fileNames: readonly string[]): string | undefined {
  for (const name of fileNames) {
    const hint = CONVERSIONS[extname(name).toLowerCase()];
    if (hint !== undefined) return `"${name}" is not ONNX but ${hint}`;
  }
  return undefined;
}
