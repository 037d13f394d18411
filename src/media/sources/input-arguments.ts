import type { SourceAddress } from './source-address.ts';

/** What a file may lead ffmpeg to open (a playlist names others): never from a file to the network. */
const PROTOCOLS = {
  file: 'file,crypto,data',
  http: 'http,https,httpproxy,tcp,tls,crypto,data',
  rtsp: 'rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto,data',
} as const;

/** ffmpeg's and ffprobe's arguments up to the input's address. */
export function inputArguments(address: SourceAddress, rtspTransport: 'tcp' | 'udp'): string[] {
  const { kind, url, format } = address;
  const shape = format === undefined ? [] : ['-f', format];
  switch (kind) {
    case 'file':
    case 'http':
      return [...shape, '-protocol_whitelist', PROTOCOLS[kind], '-i', url];
    case 'rtsp':
      return [...shape, '-protocol_whitelist', PROTOCOLS.rtsp, '-rtsp_transport', rtspTransport, '-i', url];
    case 'camera':
    case 'network':
    case 'generator':
      return [...shape, '-i', url];
  }
}
