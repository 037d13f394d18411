import { describe, expect, it } from 'vitest';
import { anyPacket, oneOf } from '../graph/index.ts';
import { tensorOf } from '../tensor/tensor.ts';
import { imagePacket, isVectorTag, requestPacket, tensorPacket, tensorsPacket } from './packet-types.ts';

describe('TensorPacketType', () => {
  const rows = tensorOf('x', 'FP32', [2, 3], new Float32Array(6));

  it('checks datatype and shape as far as it knows them', () => {
    expect(tensorPacket().accepts(rows)).toBe(true);
    expect(tensorPacket('FP32', [-1, 3]).accepts(rows)).toBe(true);
    expect(tensorPacket('FP32', [-1, 4]).accepts(rows)).toBe(false);
    expect(tensorPacket('INT32').accepts(rows)).toBe(false);
    expect(tensorPacket().accepts('text')).toBe(false);
    expect(tensorPacket().accepts(undefined)).toBe(false);
  });

  it('feeds consumers whose datatype and shape can be the same', () => {
    const fixed = tensorPacket('FP32', [1, 3]);
    expect(fixed.compatibleWith(tensorPacket())).toBe(true);
    expect(tensorPacket().compatibleWith(fixed)).toBe(true);
    expect(fixed.compatibleWith(tensorPacket('FP32', [-1, 3]))).toBe(true);
    expect(fixed.compatibleWith(tensorPacket('FP32', [3]))).toBe(false);
    expect(fixed.compatibleWith(tensorPacket('INT32'))).toBe(false);
    expect(fixed.compatibleWith(imagePacket)).toBe(false);
    expect(fixed.compatibleWith(anyPacket)).toBe(true);
    expect(fixed.compatibleWith(oneOf(imagePacket, tensorPacket('FP32')))).toBe(true);
  });
});

describe('packet types', () => {
  it('tell requests, images and vectors apart', () => {
    const request = { servable: 'm', version: '', id: '', inputs: [], outputs: [] };
    expect(requestPacket().accepts(request)).toBe(true);
    expect(imagePacket.accepts(request)).toBe(false);
    expect(tensorsPacket.accepts([])).toBe(true);
    expect(tensorsPacket.accepts([request])).toBe(false);
  });

  it.each([
    ['OVTENSORS', true],
    ['TFTENSORS_IN', true],
    ['OVTENSOR', false],
    ['TENSOR', false],
    ['IMAGE', false],
    ['', false],
  ])('tag "%s" carries several tensors: %s', (tag, expected) => {
    expect(isVectorTag(tag)).toBe(expected);
  });
});
