/** `millrace/stream-client`: videos to a KServe v2 server and back. */
export { StreamClient } from './stream-client.ts';
export type { Postprocess, Preprocess, StreamClientEvent, StreamClientOptions } from './options.ts';
export type { Latency, StreamReport } from './tally.ts';
export type { Picture, PixelFormat, VideoFrame } from '../media/frame.ts';
