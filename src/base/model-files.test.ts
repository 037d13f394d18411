import { expect, test } from 'vitest';
import { conversionHint, isModelFile } from './model-files.ts';

test('model files are known by their extension, in any case', () => {
  expect(['model.onnx', '/m/1/MODEL.ONNX', 'model.ort'].map(isModelFile)).toEqual([true, true, true]);
  expect(['model.onnx.data', 'onnx', 'model.xml'].map(isModelFile)).toEqual([false, false, false]);
});

test('the hint is for the first file in a format that is known, and names it', () => {
  expect(conversionHint(['README.md', '/m/1/model.XML', 'a.pt'])).toMatch(
    /^"model\.XML" is not ONNX but OpenVINO IR: export/,
  );
  expect(conversionHint(['README.md', 'model.onnx'])).toBeUndefined();
});
