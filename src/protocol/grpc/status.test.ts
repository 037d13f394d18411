import { expect, test } from 'vitest';
import { CODES, MillraceError, REASONS, type Reason } from '../../base/errors.ts';
import { toGrpcStatus } from './status.ts';

test('every reason has the code of the catalogue, but for bytes that are no message', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    const expected = reason === 'MALFORMED_REQUEST' ? 'INTERNAL' : REASONS[reason];
    expect(toGrpcStatus(new MillraceError(reason, 'x')).code).toBe(CODES[expected]);
  }
});

test('a code of its own beats the reason’s', () => {
  const error = new MillraceError('MALFORMED_REQUEST', 'x', { code: 'NOT_FOUND' });
  expect(toGrpcStatus(error).code).toBe(CODES.NOT_FOUND);
});

test('texts that do not fit in a header are shortened, and the details left out', () => {
  const error = new MillraceError('GRAPH_FAILED', 'ö\ud83d'.repeat(5000), { details: { long: 'x'.repeat(5000) } });
  const { details, trailers } = toGrpcStatus(error);
  expect(encodeURI(details).length).toBeLessThanOrEqual(3072);
  expect(details.length).toBeGreaterThan(100);
  expect(trailers).toEqual({ 'millrace-reason': 'GRAPH_FAILED' });
});

test('texts whose encoded form would pass the longest string are shortened too', () => {
  const { details } = toGrpcStatus(new MillraceError('SERVABLE_NOT_FOUND', '%'.repeat(180_000_000)));
  expect(details).toMatch(/^%{100,1024}$/);
});
