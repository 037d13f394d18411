import { resolve } from 'node:path';
import { MillraceError } from '../../base/errors.ts';
import { exportOf, newModules } from '../../runtime/script/user-modules.ts';
import {
  StreamClient,
  type Postprocess,
  type Preprocess,
  type StreamClientEvent,
  type StreamReport,
} from '../../stream-client/index.ts';
import { CONNECTION_FLAGS, openGrpc } from './connection.ts';
import type { ClientEnvironment } from './client-commands.ts';
import { helpOf, parseFlags, type Flags, type Given } from './flags.ts';
import { ProgressLine } from './progress-line.ts';

const { protocol: _protocol, url, ...CONNECTION } = CONNECTION_FLAGS;

const FLAGS = {
  grpc_address: { value: 'address', description: 'The server. Default: 127.0.0.1:9000.' },
  input_stream: { value: 'source', description: 'Camera index, file, or rtsp:// or http:// URL.' },
  output_stream: { value: 'sink', default: 'none', description: 'screen, file, rtsp:// URL or none.' },
  model_name: { short: 'm', value: 'name', default: 'holisticTracking', description: 'The servable.' },
  model_version: { short: 'x', value: 'version', description: 'The server’s choice otherwise.' },
  input_name: { value: 'name', default: 'first_input_video', description: 'The input that takes the picture.' },
  output_name: { value: 'name', description: 'The output to show. Default: the only one, else output.' },
  verbose: { description: 'Print what is refused or lost, and where.' },
  benchmark: { description: 'Print a line of JSON at the end: frame rate, latency percentiles, drops.' },
  limit_stream_duration: { value: 'seconds', default: '0', description: 'Stop after this long; 0: never.' },
  limit_frames: { value: 'count', default: '0', description: 'Stop after so many frames; 0: never.' },
  streaming_api: { description: 'All frames in one session (the default).' },
  unary: { description: 'A request of its own for each frame.' },
  encoding: { value: 'raw|jpeg', default: 'raw', description: 'How pictures go over the wire, there and back.' },
  jpeg_quality: { value: '2-31', default: '3', description: 'Of ffmpeg’s scale: 2 is the best.' },
  datatype: { value: 'UINT8|FP32', description: 'Of raw pictures. Default: what the servable says.' },
  color: { value: 'rgb|bgr', default: 'rgb', description: 'Order of the channels of raw pictures.' },
  size: { value: 'WxH', description: 'Scale frames to this, with bars. Default: as they come.' },
  max_in_flight: { value: 'count', default: '4', description: 'Frames under way at once.' },
  preprocess: { value: 'module', description: 'Its "preprocess" makes the inputs of a frame.' },
  postprocess: { value: 'module', description: 'Its "postprocess" makes the picture of an answer.' },
  realtime: { description: 'Play a file at its own pace, newest frame first, as a camera.' },
  reconnect: { value: 'count', description: 'Tries in a row after a loss. Default: live sources no limit, files 5.' },
  retry: { description: 'Try again also what is not there at the start.' },
  stall_timeout: {
    value: 'seconds',
    description: 'Without a frame for so long a source is lost. Default: 5, files 30.',
  },
  rtsp_transport: { value: 'tcp|udp', default: 'tcp', description: 'Of an RTSP source.' },
  no_hardware: { description: 'Decode on the CPU even where there is a GPU.' },
  quiet: { short: 'q', description: 'No progress line.' },
  url,
  ...CONNECTION,
} as const satisfies Flags;

const HEAD = `Usage: millrace client --input_stream SOURCE [--output_stream SINK] [options]

Sends the frames of a camera, file or stream to a servable of any KServe v2 server that answers with pictures, and shows,
writes or publishes those. Needs ffmpeg. Ctrl-C ends it: what is under way is shown, files are completed.`;

type StreamFlags = Given<typeof FLAGS>;

export async function streamCommand(args: readonly string[], environment: ClientEnvironment): Promise<number> {
  const given = parseFlags('client', FLAGS, args);
  const { stdout, stderr, variables, onSignal } = environment;
  if (given === undefined) {
    stdout(helpOf(HEAD, FLAGS));
    return 0;
  }
  if (given.words.length > 0) throw given.usage(`client: "${given.words.join(' ')}" given, only flags expected`);
  const source = given.text('input_stream');
  if (source === undefined) throw given.usage('--input_stream: a camera index, file or URL expected');
  using client = openGrpc(given, variables, given.text('grpc_address'));
  const progress = new ProgressLine(stderr, !given.has('quiet'));
  const streamClient = new StreamClient({
    client,
    source,
    ...optionsOf(given),
    ...(await callbacksOf(given)),
    onEvent: (event) => {
      const isQuiet = event.part === 'frame' || (event.part === 'source' && event.event.type === 'connected');
      if (given.has('verbose') || !isQuiet) progress.note(eventText(event));
    },
  });
  const aborting = new AbortController();
  let signals = 0;
  const stopListening = onSignal(() => {
    if (signals++ === 0) streamClient.stop();
    else aborting.abort();
  });
  progress.start(() => streamClient.report);
  try {
    const report = await streamClient.run(aborting.signal);
    progress.end();
    stderr(complaintText(report));
    if (given.has('benchmark')) stdout(`${JSON.stringify(report)}\n`);
    return 0;
  } catch (error) {
    progress.end();
    if (given.has('benchmark')) stdout(`${JSON.stringify(streamClient.report)}\n`);
    if (!(error instanceof MillraceError)) throw error;
    stderr(`millrace: ${error.message}\n`);
    return 1;
  } finally {
    stopListening();
  }
}

function optionsOf(given: StreamFlags): Omit<ConstructorParameters<typeof StreamClient>[0], 'client' | 'source'> {
  const seconds = given.number('stall_timeout');
  const size = sizeOf(given);
  return {
    sink: given.text('output_stream'),
    model: given.text('model_name') ?? '',
    version: given.text('model_version'),
    inputName: given.text('input_name') ?? '',
    outputName: given.text('output_name'),
    encoding: given.oneOf<'raw' | 'jpeg'>('encoding', ['raw', 'jpeg']),
    datatype: given.has('datatype') ? given.oneOf<'UINT8' | 'FP32'>('datatype', ['UINT8', 'FP32']) : undefined,
    color: given.oneOf<'rgb' | 'bgr'>('color', ['rgb', 'bgr']),
    mode: given.has('unary') || given.text('streaming_api') === 'false' ? 'unary' : 'stream',
    maxInFlight: given.number('max_in_flight', 1),
    limitFrames: given.number('limit_frames'),
    limitDurationMs: (given.number('limit_stream_duration') ?? 0) * 1000,
    maxReconnects: given.number('reconnect'),
    retryFirst: given.has('retry'),
    sourceOptions: {
      ...(size !== undefined && { size }),
      jpegQuality: jpegQuality(given),
      isRealtime: given.has('realtime'),
      rtspTransport: given.oneOf<'tcp' | 'udp'>('rtsp_transport', ['tcp', 'udp']),
      useHardware: !given.has('no_hardware'),
      ...(seconds !== undefined && { stallTimeoutMs: seconds * 1000 }),
    },
  };
}

function jpegQuality(given: StreamFlags): number {
  const quality = given.number('jpeg_quality', 2) ?? 3;
  if (quality > 31) throw given.usage(`--jpeg_quality: ${quality} given, 2 to 31 expected`);
  return quality;
}

function sizeOf(given: StreamFlags): { width: number; height: number } | undefined {
  const text = given.text('size');
  if (text === undefined) return undefined;
  const [, width, height] = /^(\d+)x(\d+)$/.exec(text)?.map(Number) ?? [];
  if (!width || !height) throw given.usage(`--size: ${text} given, width and height expected, as 640x480`);
  return { width, height };
}

async function callbacksOf(given: StreamFlags): Promise<{ preprocess?: Preprocess; postprocess?: Postprocess }> {
  const [preprocess, postprocess] = [
    await callbackOf<Preprocess>(given, 'preprocess'),
    await callbackOf<Postprocess>(given, 'postprocess'),
  ];
  return { ...(preprocess !== undefined && { preprocess }), ...(postprocess !== undefined && { postprocess }) };
}

async function callbackOf<Callback>(
  given: StreamFlags,
  name: 'preprocess' | 'postprocess',
): Promise<Callback | undefined> {
  const path = given.text(name);
  if (path === undefined) return undefined;
  try {
    const callback = exportOf(await newModules()(resolve(path)), name);
    if (typeof callback !== 'function') throw new Error(`its export "${name}" is no function`);
    return callback as Callback;
  } catch (error) {
    throw given.usage(`--${name}: ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function eventText(event: StreamClientEvent): string {
  switch (event.part) {
    case 'source':
      return event.event.type === 'connected' ? 'source connected' : lostText(event.event);
    case 'sink':
      return lostText(event.event);
    case 'server':
      return `server: ${event.error.status}: ${lostText(event)}`;
    case 'frame':
      return `a frame failed: ${event.error.message}`;
  }
}

/** What of the video was perhaps not read. */
function complaintText({ decoder_complaints: count, first_decoder_complaint: first = '' }: StreamReport): string {
  if (count === 0) return '';
  const times = count === 1 ? 'once' : `${count} times`;
  return `millrace: warning: frames may be missing or damaged: the decoder complained ${times}, first: ${first}\n`;
}

function lostText({ error, retryMs }: { readonly error: Error; readonly retryMs: number }): string {
  return `${error.message}; next try in ${(retryMs / 1000).toFixed(1)} s`;
}
