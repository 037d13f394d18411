import { extname } from 'node:path';
import { findProgram } from '../ffmpeg/program.ts';
import { hideInAddress } from '../ffmpeg/redact.ts';
import { HEAD, INPUT } from './arguments.ts';
import { FfmpegSink } from './ffmpeg-sink.ts';
import type { PlayerProcess } from './player.ts';
import { QueuedSink, type QueuePolicy } from './queued-sink.ts';
import { screenDriver } from './screen.ts';
import type { SinkDriver, SinkEvent, VideoSink } from './video-sink.ts';

export interface SinkOptions {
  /** Default: the newest eight wait. */
  readonly queue?: QueuePolicy | undefined;
  /** A stream is sent at the pace of its frames' times, which a source that is no live one runs ahead of. Default false. */
  readonly isPaced?: boolean | undefined;
  /** A lost stream is opened anew this many times in a row. Default: without end. */
  readonly maxReconnects?: number | undefined;
  /** Opening a stream for the first time is tried again too. Default false. */
  readonly retryFirst?: boolean | undefined;
  /** A stream or file that takes nothing for this long is lost. Default 10 s. */
  readonly stallMs?: number | undefined;
  readonly onEvent?: ((event: SinkEvent) => void) | undefined;
}

const QUEUE: QueuePolicy = { capacity: 8, whenFull: 'drop_oldest' };
const STALL_MS = 10_000;

/** Without B frames: no delay, and times that need no edit list, which a file written in fragments has not. */
const H264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-bf', '0'];
/** Played however the writer ends: each fragment is complete, and is of half a second of video at most. */
const FRAGMENTED = ['-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', '500000'];
/** The same for Matroska, in milliseconds. */
const CLUSTERED = ['-cluster_time_limit', '500'];

/**
 * Opens where pictures go: `screen` (a window of ffplay's), `rtsp(s)://…` (published as H.264), `none`, else a video file of
 * the format that its name says. Whether it can be written shows at the first frames.
 * @throws MillraceError SINK_FAILED, FFMPEG_MISSING
 */
export function openSink(target: string, options: SinkOptions = {}): VideoSink {
  return new QueuedSink(driverOf(target, options), options.queue ?? QUEUE);
}

function driverOf(target: string, options: SinkOptions): SinkDriver {
  if (target === 'none') return { label: 'none', write: async () => {}, finish: async () => {}, abort: async () => {} };
  const { maxReconnects = Infinity, retryFirst = false, stallMs = STALL_MS, onEvent = () => {} } = options;
  const common = { maxReconnects: 0, retryFirst: false, stallMs, onEvent };
  if (target === 'screen') return screenDriver(common);
  findProgram('ffmpeg');
  const label = hideInAddress(target);
  if (/^rtsps?:\/\//i.test(target)) {
    const process = (): PlayerProcess => streamProcess(target, options.isPaced === true);
    return new FfmpegSink({ ...common, label, process, maxReconnects, retryFirst });
  }
  return new FfmpegSink({ ...common, label, process: (size) => fileProcess(target, size) });
}

/**
 * A key frame every so often by time, whatever the frame rate: where a viewer can join, and a fragment of a file ends. (A
 * number of frames would be long with a slow graph.)
 */
function keyFrames(seconds: number): string[] {
  return ['-g', '250', '-force_key_frames', `expr:gte(t,n_forced*${seconds})`];
}

function fileProcess(
  path: string,
  { width, height }: { readonly width: number; readonly height: number },
): PlayerProcess {
  return {
    program: 'ffmpeg',
    // The end of its input makes it complete the file.
    parentDeath: 'none',
    args: [
      ...HEAD,
      ...INPUT,
      // A JPEG of another size is brought to that of the first; H.264 needs even sides.
      ...[
        '-vf',
        `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${even(width)}:${even(height)}:(ow-iw)/2:(oh-ih)/2,setsar=1`,
      ],
      ...['-vsync', 'vfr'],
      ...codecOf(path),
      ...['-y', `file:${path}`],
    ],
  };
}

function codecOf(path: string): string[] {
  const h264 = ['-enc_time_base', '1/90000', ...H264, '-preset', 'veryfast', ...keyFrames(2)];
  switch (extname(path).toLowerCase()) {
    case '.mp4':
    case '.m4v':
    case '.mov':
      return [...h264, ...FRAGMENTED, '-flush_packets', '1'];
    case '.mkv':
      return [...h264, ...CLUSTERED, '-flush_packets', '1'];
    case '.ts':
      return [...h264, '-flush_packets', '1'];
    default:
      // ffmpeg's own choice for the format; some of its codecs know no finer times.
      return ['-enc_time_base', '1/1000'];
  }
}

function streamProcess(url: string, isPaced: boolean): PlayerProcess {
  return {
    program: 'ffmpeg',
    args: [
      ...HEAD,
      ...(isPaced ? ['-re'] : []),
      ...INPUT,
      ...['-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2,setsar=1', '-vsync', 'passthrough', '-enc_time_base', '1/90000'],
      ...[...H264, '-preset', 'ultrafast', '-tune', 'zerolatency', ...keyFrames(1)],
      ...['-progress', 'pipe:1', '-f', 'rtsp', '-rtsp_transport', 'tcp', '-muxdelay', '0.1', url],
    ],
  };
}

function even(side: number): number {
  return side + (side % 2);
}
