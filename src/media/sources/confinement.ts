import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from '../ffmpeg/program.ts';

/** What keeps a video over HTTP from leading to other hosts than its own. */
export interface Confinement {
  /** Of ffmpeg, those that are videos themselves: a playlist names addresses. */
  readonly formats: string;
  /** ffmpeg before 5.1 follows redirects whatever it is told. */
  readonly knowsRedirects: boolean;
}

const FORMATS =
  'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,live_flv,ogg,asf,nut,ivf,h264,hevc,av1,obu,m4v,mpegvideo,mjpeg,mpjpeg,jpeg_pipe,png_pipe,webp_pipe,gif,wtv,mxf,rawvideo,yuv4mpegpipe';

let asked: Promise<Confinement> | undefined;

/** ffmpeg is asked once. @throws MillraceError FFMPEG_MISSING */
export function confinement(): Promise<Confinement> {
  return (asked ??= ask());
}

async function ask(): Promise<Confinement> {
  const { stdout } = await promisify(execFile)(findProgram('ffmpeg'), ['-hide_banner', '-h', 'protocol=http'], {
    timeout: 10_000,
  }).catch(() => ({ stdout: '' }));
  return { formats: FORMATS, knowsRedirects: stdout.includes('-max_redirects') };
}
