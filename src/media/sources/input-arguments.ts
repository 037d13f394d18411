import { MillraceError } from '../../base/errors.ts';
import { hideInUrl } from '../ffmpeg/redact.ts';
import type { Confinement } from './confinement.ts';
import type { SourceAddress } from './source-address.ts';

/** What ffmpeg and ffprobe are told of an input. */
export interface MediaInput {
  /** Their arguments up to the input's address. */
  readonly args: readonly string[];
  /** What they read from their standard input, which then is the input. */
  readonly script?: string;
}

/** What a file may lead ffmpeg to open (a playlist names others): never from a file to the network. */
const PROTOCOLS = {
  file: 'file,crypto,data',
  http: 'http,https,httpproxy,tcp,tls,crypto,data',
  rtsp: 'rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto,data',
} as const;

/** Of what has no list of its own, where it needs one. */
const NETWORK =
  'rtmp,rtmps,rtmpe,rtmpt,rtmpte,rtmpts,ffrtmphttp,ffrtmpcrypt,srt,udp,rtp,tcp,tls,http,https,ftp,mmsh,mmst,crypto,data';

/** The address as an argument, where others on the machine can see it while ffmpeg runs. @param confined of a video over HTTP */
export function inputArguments(
  address: SourceAddress,
  rtspTransport: 'tcp' | 'udp',
  confined?: Confinement,
): MediaInput {
  const { kind, url, format } = address;
  const shape = format === undefined ? [] : ['-f', format];
  switch (kind) {
    case 'file':
      return { args: [...shape, '-protocol_whitelist', PROTOCOLS.file, '-i', url] };
    case 'http': {
      const formats = confined === undefined ? [] : ['-format_whitelist', confined.formats];
      const redirects = confined?.knowsRedirects === true ? ['-max_redirects', '0'] : [];
      return { args: [...formats, ...redirects, '-protocol_whitelist', PROTOCOLS.http, '-i', url] };
    }
    case 'rtsp':
      return {
        args: [...shape, '-protocol_whitelist', PROTOCOLS.rtsp, '-rtsp_transport', rtspTransport, '-i', url],
      };
    case 'camera':
    case 'network':
    case 'generator':
      return { args: [...shape, '-i', url] };
  }
}

/**
 * The same for a live source whose address holds credentials: it comes through a pipe, in the one form in which ffmpeg reads
 * an address from anywhere but its command line, a script for its concat demuxer. What that passes on has the frames and times
 * of the source itself, and no length.
 * @returns undefined for what has nothing to hide, or cannot be hidden
 * @throws MillraceError SOURCE_FAILED for an address of several lines
 */
export function concealedInput(
  address: SourceAddress,
  rtspTransport: 'tcp' | 'udp',
  confined?: Confinement,
): MediaInput | undefined {
  const { kind, url, label } = address;
  if (kind !== 'rtsp' && kind !== 'http' && kind !== 'network') return undefined;
  if (hideInUrl(url) === url) return undefined;
  if (/[\r\n]/.test(url)) throw new MillraceError('SOURCE_FAILED', `source ${label}: an address of one line expected`);
  const protocols = kind === 'network' ? NETWORK : PROTOCOLS[kind];
  const lines = ['ffconcat version 1.0', `file '${url.replaceAll("'", String.raw`'\''`)}'`];
  if (kind === 'rtsp') lines.push(`option rtsp_transport ${rtspTransport}`);
  const isConfined = kind === 'http' && confined !== undefined;
  if (isConfined && confined.knowsRedirects) lines.push('option max_redirects 0');
  const formats = isConfined ? ['-format_whitelist', `concat,${confined.formats}`] : [];
  return {
    args: [...formats, '-f', 'concat', '-safe', '0', '-protocol_whitelist', `pipe,${protocols}`, '-i', 'pipe:0'],
    script: `${lines.join('\n')}\n`,
  };
}

/** ffmpeg before 5 knows no options in such scripts; it is given the address as before. */
export function isConcealmentRefused(error: unknown): boolean {
  return error instanceof MillraceError && /unknown keyword/i.test(error.message);
}
