/** What ffmpeg says, without which of its parts did: `[h264 @ 0x55d0c8] `. */
export function withoutOrigin(text: string): string {
  return text.replaceAll(/\[[^\]]* @ 0x[0-9a-f]+\] ?/g, '');
}
