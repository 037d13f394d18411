import type { Picture } from '../frame.ts';
import { crc32, FILE_ID, FLAG, MAIN, START_CODES, STREAM, SYNCPOINT } from './nut-format.ts';

const FOURCC: Readonly<Record<Picture['format'], Buffer>> = {
  rgb24: Buffer.from('RGB\x18', 'latin1'),
  bgr24: Buffer.from('BGR\x18', 'latin1'),
  rgba: Buffer.from('RGBA', 'latin1'),
  gray: Buffer.from('Y800', 'latin1'),
  jpeg: Buffer.from('MJPG', 'latin1'),
  yuv420p: Buffer.from('I420', 'latin1'),
};

const MAX_DISTANCE = 65_536;
const MSB_PTS_SHIFT = 7;

/** The head of a file with one video stream; times are in µs. */
export function nutHead({ width, height, format }: Omit<Picture, 'data'>): Buffer {
  // One frame code, 0, whose flags are written with each frame; all others are invalid (their run leaves 'N' out).
  const runs = [FLAG.CODED, 6, 0, 1, 0, 0, 0, 1, FLAG.INVALID, 6, 0, 1, 0, 0, 0, 254];
  const main = [3, 1, MAX_DISTANCE, 1, 1, 1_000_000, ...runs];
  const fourcc = FOURCC[format];
  const stream = Buffer.concat([
    varints([0, 0, fourcc.length]),
    fourcc,
    varints([0, MSB_PTS_SHIFT, 1_000_000, 0, 0, 0, width, height, 1, 1, 0]),
  ]);
  return Buffer.concat([FILE_ID, packet(MAIN, varints([...main, 0])), packet(STREAM, stream)]);
}

/** What goes before the `bytes` of a frame: a sync point and the frame's own head. Every frame is a key frame. */
export function nutFrameHead(timestampUs: number, bytes: number): Buffer {
  const flags = FLAG.KEY | FLAG.CODED_PTS | FLAG.SIZE_MSB | FLAG.CHECKSUM;
  const head = Buffer.concat([Buffer.of(0), varints([flags, timestampUs + 2 ** MSB_PTS_SHIFT, bytes])]);
  return Buffer.concat([packet(SYNCPOINT, varints([timestampUs, 0])), head, checksum(head)]);
}

function packet(kind: typeof MAIN | typeof STREAM | typeof SYNCPOINT, payload: Buffer): Buffer {
  return Buffer.concat([START_CODES[kind], varints([payload.length + 4]), payload, checksum(payload)]);
}

function checksum(bytes: Buffer): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(crc32(bytes));
  return out;
}

/** Numbers of any size up to 2^53, 7 bits a byte, the highest first. */
function varints(values: readonly number[]): Buffer {
  const bytes: number[] = [];
  for (const value of values) {
    const groups = [value % 128];
    for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) groups.push(128 + (rest % 128));
    bytes.push(...groups.reverse());
  }
  return Buffer.from(bytes);
}
