import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { settledWithin } from '../../base/settled-within.ts';
import { causeOf, exitText, type FaultCause } from './faults.ts';
import { MediaProcess } from './media-process.ts';

/** What ffprobe tells of the first video stream. */
export interface Probed {
  /** As shown: after the rotation that the file asks for. */
  readonly width: number;
  readonly height: number;
  readonly codec: string;
  /** Frames a second as declared, which live sources often do wrongly; undefined where not declared. */
  readonly fps: number | undefined;
  /** Undefined: live, or not known. */
  readonly durationMs: number | undefined;
  /** Declared; undefined: not known. */
  readonly frames: number | undefined;
  /** How its colours are to be understood, where it has YUV 4:2:0 of 8 bits in the limited range. */
  readonly planes: 'bt601' | 'bt709' | undefined;
}

const STREAM = z.object({
  width: z.number().optional(),
  height: z.number().optional(),
  codec_name: z.string().default('unknown'),
  avg_frame_rate: z.string().optional(),
  r_frame_rate: z.string().optional(),
  nb_frames: z.string().optional(),
  duration: z.string().optional(),
  pix_fmt: z.string().optional(),
  color_range: z.string().optional(),
  color_space: z.string().optional(),
  side_data_list: z.array(z.object({ rotation: z.number().optional() })).default([]),
});

const OUTPUT = z.object({
  streams: z.array(STREAM).default([]),
  format: z
    .object({ format_name: z.string().default(''), duration: z.string().optional() })
    .default({ format_name: '' }),
});

const ENTRIES =
  'stream=width,height,codec_name,avg_frame_rate,r_frame_rate,nb_frames,duration,pix_fmt,color_range,color_space:stream_side_data=rotation:format=format_name,duration';

const MAX_OUTPUT = 1 << 20;

/**
 * @param input what is looked at
 * @throws MillraceError SOURCE_FAILED with `cause`, FFMPEG_MISSING
 */
export async function probe(
  { args: input, script }: { readonly args: readonly string[]; readonly script?: string },
  {
    label,
    timeoutMs,
    signal,
  }: { readonly label: string; readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Probed> {
  await using child = new MediaProcess({
    program: 'ffprobe',
    args: ['-hide_banner', '-v', 'error', '-select_streams', 'v:0', '-show_entries', ENTRIES, '-of', 'json', ...input],
    ...(script !== undefined && { script }),
  });
  const stop = (): void => child.kill();
  signal?.addEventListener('abort', stop, { once: true });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    if (text.length < MAX_OUTPUT) text += part;
  });
  try {
    const exit = await settledWithin(child.exit, timeoutMs, () =>
      sourceFault(label, 'timeout', `no answer within ${timeoutMs} ms`),
    );
    signal?.throwIfAborted();
    if (exit.code !== 0) throw sourceFault(label, causeOf(exit, 'unreadable'), exitText(exit));
    return probedOf(text, label);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

export function sourceFault(label: string, cause: FaultCause, message: string): MillraceError {
  return new MillraceError('SOURCE_FAILED', `source ${label}: ${message}`, { details: { source: label, cause } });
}

function probedOf(text: string, label: string): Probed {
  const { streams, format } = OUTPUT.parse(JSON.parse(text === '' ? '{}' : text));
  const [stream] = streams;
  // ffmpeg draws text files as pictures of a terminal.
  if (stream?.width === undefined || stream.height === undefined || format.format_name === 'tty')
    throw sourceFault(label, 'no_video', 'there is no video in it');
  if (stream.width === 0 || stream.height === 0)
    throw sourceFault(label, 'unreadable', 'its video has no size: it may have begun in the middle of a picture');
  const rotation = stream.side_data_list.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  const isTurned = Math.abs(rotation) % 180 === 90;
  return {
    width: isTurned ? stream.height : stream.width,
    height: isTurned ? stream.width : stream.height,
    codec: stream.codec_name,
    fps: rateOf(stream.avg_frame_rate) ?? rateOf(stream.r_frame_rate),
    durationMs: positive(Number(stream.duration ?? format.duration) * 1000),
    frames: positive(Number(stream.nb_frames)),
    planes: planesOf(stream),
  };
}

function planesOf({ pix_fmt, color_range, color_space }: z.infer<typeof STREAM>): Probed['planes'] {
  const isPlain = pix_fmt === 'yuv420p' && (color_range === undefined || color_range === 'tv');
  if (!isPlain) return undefined;
  if (color_space === 'bt709') return 'bt709';
  return color_space === undefined || color_space === 'bt470bg' || color_space === 'smpte170m' ? 'bt601' : undefined;
}

/** "30000/1001" */
function rateOf(text: string | undefined): number | undefined {
  const [num = 0, den = 0] = (text ?? '').split('/').map(Number);
  return positive(num / den);
}

function positive(value: number): number | undefined {
  return Number.isFinite(value) && value > 0 ? value : undefined;
}
