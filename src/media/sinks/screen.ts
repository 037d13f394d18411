import { MillraceError } from '../../base/errors.ts';
import { findProgram } from '../ffmpeg/program.ts';
import { HEAD, INPUT } from './arguments.ts';
import { FfmpegSink, type FfmpegSinkOptions } from './ffmpeg-sink.ts';

const WINDOW = ['-window_title', 'millrace', '-autoexit', '-framedrop', '-sync', 'ext', '-infbuf', '-nostats'];
const INSTEAD = 'write to a file, an rtsp:// URL or none instead';

/** A window of ffplay's. @throws MillraceError SINK_FAILED where no display is named, FFMPEG_MISSING */
export function screenDriver(common: Omit<FfmpegSinkOptions, 'label' | 'process'>): FfmpegSink {
  findProgram('ffplay');
  const { driver, display } = displayOf(process.env);
  const env = driver === undefined ? {} : { SDL_VIDEODRIVER: driver };
  return new FfmpegSink({
    ...common,
    label: 'screen',
    process: () => ({ program: 'ffplay', args: [...HEAD, ...INPUT, ...WINDOW, '-an'], env }),
    endedByItself: () => new MillraceError('CANCELLED', 'the window was closed'),
    explained: (error) =>
      error.details['cause'] === 'no_display'
        ? noDisplay(`no window can be opened on ${display} (${error.message.replace('sink screen: ', '')})`)
        : error,
  });
}

/**
 * What SDL, which ffplay shows with, is to show on. Left to itself it takes, where no display answers, one that nobody sees
 * (its driver `offscreen`).
 */
function displayOf({ DISPLAY, WAYLAND_DISPLAY, SDL_VIDEODRIVER }: NodeJS.ProcessEnv): {
  readonly driver?: 'x11' | 'wayland';
  readonly display: string;
} {
  if (SDL_VIDEODRIVER) return { display: `SDL_VIDEODRIVER=${SDL_VIDEODRIVER}` };
  if (process.platform !== 'linux') return { display: 'this machine' };
  if (DISPLAY) return { driver: 'x11', display: `DISPLAY=${DISPLAY}` };
  if (WAYLAND_DISPLAY) return { driver: 'wayland', display: `WAYLAND_DISPLAY=${WAYLAND_DISPLAY}` };
  throw noDisplay('there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)');
}

function noDisplay(what: string): MillraceError {
  return new MillraceError('SINK_FAILED', `sink screen: ${what}; ${INSTEAD}`, {
    details: { sink: 'screen', cause: 'no_display' },
  });
}
