import { expect, it } from 'vitest';
import { jpegSize } from './frame.ts';

const JPEG_HEAD = 'ffd8ffe000104a46494600010100000100010000fffe00044142ffc0001108012c0190030122000211';

it('finds the size of a JPEG behind other segments', () => {
  expect(jpegSize(Buffer.from(JPEG_HEAD, 'hex'))).toEqual({ height: 300, width: 400 });
});

it('finds none in what is no JPEG, or is cut short', () => {
  expect(jpegSize(Buffer.from('89504e470d0a1a0a', 'hex'))).toBeUndefined();
  expect(jpegSize(Buffer.alloc(0))).toBeUndefined();
  for (let length = 2; length < 30; length++) {
    expect(jpegSize(Buffer.from(JPEG_HEAD, 'hex').subarray(0, length))).toBeUndefined();
  }
});
