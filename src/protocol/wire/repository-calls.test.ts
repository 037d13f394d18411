import { describe, expect, it } from 'vitest';
import { readLoadOverride } from './repository-calls.ts';

describe('files of a load request in base64', () => {
  const contentOf = (text: string): string | undefined =>
    Buffer.from(
      readLoadOverride({ config: '{}', 'file:1/model.onnx': text })?.files.get('1/model.onnx') ?? [],
    ).toString();

  it.each([
    ['', ''],
    ['YQ==', 'a'],
    ['YQ', 'a'],
    ['YWI=', 'ab'],
    ['YWI', 'ab'],
    ['YWJj', 'abc'],
  ])('%s', (text, content) => {
    expect(contentOf(text)).toBe(content);
  });

  it.each(['Y', 'YQ=', 'YWJj=', 'YWJj==', 'YW I', 'YW-_', '=', 'Y=Q=', 'YWJjZ==='])('%s is none', (text) => {
    expect(() => contentOf(text)).toThrow("load parameter 'file:1/model.onnx': base64 expected");
  });

  it('may be long', () => {
    expect(contentOf('YWJj'.repeat(4_000_000))).toHaveLength(12_000_000);
  });
});
