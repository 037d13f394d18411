import type { GrpcClient } from '../client/grpc-client.ts';
import type { InferenceError } from '../client/inference-error.ts';
import type { Picture, VideoFrame } from '../media/frame.ts';
import type { SourceOptions } from '../media/sources/ffmpeg-source.ts';
import type { SourceEvent } from '../media/sources/video-source.ts';
import type { SinkOptions } from '../media/sinks/open-sink.ts';
import type { SinkEvent } from '../media/sinks/video-sink.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Makes the inputs of a frame's request; undefined leaves the frame out. The frame holds RGB pixels, or with `encoding:
 * "jpeg"` a JPEG.
 */
export type Preprocess = (frame: VideoFrame) => readonly Tensor[] | undefined | Promise<readonly Tensor[] | undefined>;

/**
 * Makes the picture to show of an answer; undefined shows none. Called for one answer after another: of a graph in a stream, for
 * each of its outputs.
 * @param frame the one that was sent; undefined where it is no longer known, as for an answer that came far too late
 */
export type Postprocess = (
  frame: VideoFrame | undefined,
  response: InferenceResponse,
) => Picture | undefined | Promise<Picture | undefined>;

export interface StreamClientOptions {
  /** To any KServe v2 server; the caller closes it. */
  readonly client: GrpcClient;
  readonly model: string;
  readonly version?: string | undefined;
  /** The input that takes the picture. */
  readonly inputName: string;
  /** The output that gives the picture. Default: the servable's only one, else `output`. */
  readonly outputName?: string | undefined;
  /** A camera, file or URL: see `parseSourceAddress`. */
  readonly source: string;
  /** `screen`, a file, an RTSP URL or `none`: see `openSink`. Default `none`. */
  readonly sink?: string | undefined;
  /**
   * How pictures go to the server, and come back: as tensors UINT8 or FP32 [height, width, 3], which every server takes, or as
   * JPEGs in BYTES [1], a fiftieth of the bytes. Default `raw`.
   */
  readonly encoding?: 'raw' | 'jpeg' | undefined;
  /** Of raw pictures. Default: what the servable says, else UINT8. */
  readonly datatype?: 'UINT8' | 'FP32' | undefined;
  /** Raw pictures are [1, height, width, 3]. Default: where the servable says so. */
  readonly hasBatch?: boolean | undefined;
  /** Order of channels of raw pictures, there and back. Default `rgb`. */
  readonly color?: 'rgb' | 'bgr' | undefined;
  /**
   * `stream`: all frames in one session, for graphs with state. `unary`: each frame a request of its own, which a balancer may
   * send anywhere. Default `stream`.
   */
  readonly mode?: 'stream' | 'unary' | undefined;
  /** Frames that may be under way. Default 4. */
  readonly maxInFlight?: number | undefined;
  /** A frame without an answer for this long gives its place to another. Default: 5 s, or 10 times the mean latency if that is more. */
  readonly answerTimeoutMs?: number | undefined;
  /** Frames to send; 0: all. */
  readonly limitFrames?: number | undefined;
  /** 0: no limit. */
  readonly limitDurationMs?: number | undefined;
  readonly preprocess?: Preprocess | undefined;
  readonly postprocess?: Postprocess | undefined;
  /** Tries in a row to reach a lost server, source or stream again. Default: of files 5, of live sources without end. */
  readonly maxReconnects?: number | undefined;
  /** What is not there at the start is tried again, too. Default false. */
  readonly retryFirst?: boolean | undefined;
  readonly sourceOptions?: Pick<
    SourceOptions,
    'size' | 'jpegQuality' | 'isRealtime' | 'rtspTransport' | 'useHardware' | 'connectTimeoutMs' | 'stallTimeoutMs'
  >;
  readonly sinkOptions?: Pick<SinkOptions, 'stallMs'>;
  readonly onEvent?: ((event: StreamClientEvent) => void) | undefined;
}

export type StreamClientEvent =
  | { readonly part: 'source'; readonly event: SourceEvent }
  | { readonly part: 'sink'; readonly event: SinkEvent }
  /** The session, or the way to the server, was lost; the next try is in `retryMs`. */
  | { readonly part: 'server'; readonly error: InferenceError; readonly retryMs: number }
  /** A frame that the server refused, or an answer that is no picture. */
  | { readonly part: 'frame'; readonly error: Error };
