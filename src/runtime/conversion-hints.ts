import { extname } from 'node:path';

/** How to turn the files of other runtimes into ONNX. */
const HINTS: Readonly<Record<string, string>> = {
  '.xml':
    'OpenVINO IR is not supported; export the original model to ONNX (optimum-cli export onnx, torch.onnx.export)',
  '.bin':
    'OpenVINO IR is not supported; export the original model to ONNX (optimum-cli export onnx, torch.onnx.export)',
  '.tflite':
    'TensorFlow Lite is not supported; convert with: python -m tf2onnx.convert --tflite MODEL --output model.onnx',
  '.pb':
    'TensorFlow models are not supported; convert with: python -m tf2onnx.convert --saved-model FOLDER --output model.onnx',
  '.pt': 'PyTorch files are not supported; export with torch.onnx.export',
  '.pth': 'PyTorch files are not supported; export with torch.onnx.export',
  '.safetensors': 'weights alone are not supported; export the model with optimum-cli export onnx',
  '.h5': 'Keras files are not supported; export with model.export(path, format="onnx")',
  '.keras': 'Keras files are not supported; export with model.export(path, format="onnx")',
  '.plan': 'TensorRT plans are not supported; give the ONNX file and execution provider tensorrt',
};

/** Why no backend takes a file like this one and what to do about it; undefined for an unknown kind. */
export function conversionHint(path: string): string | undefined {
  return HINTS[extname(path).toLowerCase()];
}
