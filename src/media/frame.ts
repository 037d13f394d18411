/** How the bytes of a picture are laid out: rows without padding, 8 bits a channel. */
export type PixelFormat = 'rgb24' | 'bgr24' | 'rgba' | 'gray';

export const CHANNELS: Readonly<Record<PixelFormat, number>> = { rgb24: 3, bgr24: 3, rgba: 4, gray: 1 };

/** One picture, raw or as a JPEG file. Nobody changes `data`. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly format: PixelFormat | 'jpeg' | 'yuv420p';
  /**
   * Raw: height × width × channels bytes. `yuv420p`, of even sides only: the planes Y [height, width], U and V [height / 2,
   * width / 2], in the limited range.
   */
  readonly data: Uint8Array;
  /** Of `yuv420p`. Default BT.601. */
  readonly isBt709?: boolean;
}

/** A picture at its place in a video. */
export interface VideoFrame extends Picture {
  /** From 1; counts all that the source gave, dropped ones too, and goes on over reconnections. */
  readonly number: number;
  /**
   * Presentation time in µs, strictly increasing: since the start of a file, since the first frame of a live source. A safe
   * integer.
   */
  readonly timestampUs: number;
  /** When it came out of the decoder, by `performance.now()`. */
  readonly capturedAtMs: number;
  /** Says that nobody looks at `data` any more, so that a later frame may have its memory; need not be called. */
  readonly release?: () => void;
}

/** Size of a JPEG from its frame header (ITU-T T.81, B.2.2); undefined where there is none. */
export function jpegSize(data: Uint8Array): { width: number; height: number } | undefined {
  if (data[0] !== 0xff || data[1] !== 0xd8) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 2; at + 9 <= data.length;) {
    if (data[at] !== 0xff) return undefined;
    const marker = data[at + 1] as number;
    // Fill bytes, and markers without a segment.
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else if (isFrameHeader(marker)) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    else at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which share their range. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
