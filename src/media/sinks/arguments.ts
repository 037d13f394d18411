/** Of ffmpeg and ffplay, for videos in NUT on their standard input. */
export const HEAD = ['-hide_banner', '-loglevel', 'error'];
export const INPUT = ['-probesize', '32', '-analyzeduration', '0', '-f', 'nut', '-i', 'pipe:0'];
