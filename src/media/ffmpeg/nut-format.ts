/**
 * What reader and writer share of NUT, FFmpeg's container that can be streamed (https://ffmpeg.org/~michael/nut.txt, version
 * 3). It carries raw pictures and JPEGs with exact times through a pipe, which "rawvideo" cannot.
 */
export const FILE_ID = Buffer.from('nut/multimedia container\0', 'latin1');

/** The byte with which every start code begins; no frame code. */
export const N = 0x4e;

export const MAIN = 'NM';
export const STREAM = 'NS';
export const SYNCPOINT = 'NK';

export const START_CODES: Readonly<Record<typeof MAIN | typeof STREAM | typeof SYNCPOINT, Buffer>> = {
  [MAIN]: Buffer.from('4e4d7a561f5f04ad', 'hex'),
  [STREAM]: Buffer.from('4e5311405bf2f9db', 'hex'),
  [SYNCPOINT]: Buffer.from('4e4be4adeeca4569', 'hex'),
};

/** Flags of a frame. */
export const FLAG = {
  KEY: 1,
  CODED_PTS: 8,
  STREAM_ID: 16,
  SIZE_MSB: 32,
  CHECKSUM: 64,
  RESERVED: 128,
  SIDE_DATA: 256,
  HEADER_IDX: 1024,
  MATCH_TIME: 2048,
  CODED: 4096,
  INVALID: 8192,
} as const;

/** Headers longer than this have a checksum of their length. */
export const LONG_PACKET = 4096;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

/** CRC-32 with polynomial 0x04C11DB7, start 0, not reflected. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ (CRC_TABLE[(crc >>> 24) ^ byte] as number)) >>> 0;
  return crc;
}
