import { describe, expect, it } from 'vitest';
import { briefly, fileFault } from './load-failure.ts';

// Left: as ONNX Runtime 1.30 says it.
describe('fileFault', () => {
  it.each([
    ['Load model from /m.onnx failed:Protobuf parsing failed.', 'it is truncated or no ONNX model'],
    [
      'This is an invalid model. In Node, ("", Frobnicate, "", -1) : ("INPUT": tensor(float),) -> ("OUTPUT": tensor(float),) , Error No Op registered for Frobnicate with domain_version of 17',
      'ONNX Runtime does not know its operator Frobnicate (opset 17)',
    ],
    ['Fatal error: com.x:Foo(-1) is not a registered function/op', 'ONNX Runtime does not know its operator com.x:Foo'],
    [
      "Could not find an implementation for Sin(7) node with name ''",
      'ONNX Runtime has no implementation of its operator Sin (opset 7) for its datatypes',
    ],
    [
      'Unsupported model IR version: 99, max supported IR version: 13',
      'its IR version is 99, the newest supported is 13; export it with an older onnx package',
    ],
    [
      'Opset 99 is under development and support for this is limited.\nCurrent official support for domain ai.onnx is till opset 26.',
      'its opset is 99, the newest supported is 26; export it with that opset',
    ],
    ['Unsupported data type: 17', 'an input or output has ONNX datatype 17, which cannot be passed'],
  ])('%s', (message, fault) => {
    expect(fileFault(message)).toBe(fault);
  });

  it('leaves faults of the provider alone', () => {
    expect(fileFault('OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library')).toBeUndefined();
  });
});

describe('briefly', () => {
  it('keeps one line without the source location', () => {
    const message =
      '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const Config&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter:\n No supported adapters\n';
    expect(briefly(message)).toBe('Failed to get a WebGPU adapter: No supported adapters');
  });
});
