import { setTimeout as delay } from 'node:timers/promises';
import type { MillraceError } from '../../base/errors.ts';
import { allocateWithRoom, freeRoom } from '../../base/headroom.ts';
import { causeOf, exitText, type FaultCause } from '../ffmpeg/faults.ts';
import type { NutFrame } from '../ffmpeg/nut-reader.ts';
import { probe, sourceFault, type Probed } from '../ffmpeg/probe.ts';
import type { VideoFrame } from '../frame.ts';
import { AdaptiveDrop, type AdaptiveLimits } from './adaptive-drop.ts';
import { BackOff } from './back-off.ts';
import { confinement } from './confinement.ts';
import { Decoder, type DecoderEnd } from './decoder.ts';
import { FrameBuffer, type BufferPolicy } from './frame-buffer.ts';
import { concealedInput, inputArguments, isConcealmentRefused, type MediaInput } from './input-arguments.ts';
import { camerasThere, parseSourceAddress, type SourceAddress } from './source-address.ts';
import type { SourceCounts, SourceEvent, SourceProperties, VideoSource } from './video-source.ts';

export interface SourceOptions {
  /**
   * What frames hold; JPEGs are made by ffmpeg itself. `yuv420p`: as the decoder has them, where it has them so, else `rgb24`.
   * Default `rgb24`.
   */
  readonly pixels?: 'rgb24' | 'bgr24' | 'jpeg' | 'yuv420p' | undefined;
  /** Of ffmpeg's scale: 2 (best) to 31. Default 3. */
  readonly jpegQuality?: number | undefined;
  /** What frames are scaled to, with bars where the shape differs. Default: the video's own at its start. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** Default: a live source keeps the newest two and gives the newest, a file waits and gives every frame. */
  readonly buffer?: BufferPolicy | undefined;
  /** Frames are dropped by paces too, before the buffer is full. Default: they are not. */
  readonly adaptive?: AdaptiveLimits | undefined;
  /** A file comes at the pace of its times, as a live source does. Default false. */
  readonly isRealtime?: boolean | undefined;
  /** Default `tcp`. */
  readonly rtspTransport?: 'tcp' | 'udp' | undefined;
  /** Decode on a GPU where there is one and the frames are large. Default true. */
  readonly useHardware?: boolean | undefined;
  /** For the answer of a source, and again for its first frame. Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** A live source without a frame for this long is connected anew, a file fails. Default 5 s, files 30 s. */
  readonly stallTimeoutMs?: number | undefined;
  /** Tries in a row to connect a lost live source again. Default: without end. */
  readonly maxReconnects?: number | undefined;
  /** Between tries to connect, 50 ms at least. Default: a quarter of a second, doubled up to 5 s. */
  readonly reconnectDelayMs?: number | undefined;
  /** The first connection of a live source is tried again as well. Default false. */
  readonly retryFirst?: boolean | undefined;
  /** A video over HTTP may lead to no other host: redirects and playlists are refused. Default false. */
  readonly isConfined?: boolean | undefined;
  readonly onEvent?: ((event: SourceEvent) => void) | undefined;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
}

const LIVE_BUFFER: BufferPolicy = { capacity: 2, whenFull: 'drop_oldest', take: 'newest' };
const FILE_BUFFER: BufferPolicy = { capacity: 4, whenFull: 'wait', take: 'next' };
const CONNECT_TIMEOUT_MS = 10_000;
/** Memory of frames that nobody looks at any more, kept for later ones. */
const SPARE_FRAMES = 4;

/**
 * Opens a camera, file or stream (see {@link parseSourceAddress}) and starts to decode it.
 * @throws MillraceError SOURCE_FAILED with `details.cause`, FFMPEG_MISSING
 */
export async function openSource(text: string, options: SourceOptions = {}): Promise<VideoSource> {
  const address = parseSourceAddress(text);
  const backOff = new BackOff(undefined, options.reconnectDelayMs);
  for (;;) {
    try {
      const { probed, input } = await probeSource(address, options);
      return new FfmpegSource(address, probed, input, options);
    } catch (error) {
      const { retryFirst = false, maxReconnects = Infinity } = options;
      if (!retryFirst || address.kind === 'file' || !isPassing(error) || backOff.tries >= maxReconnects) throw error;
      const retryMs = backOff.next();
      options.onEvent?.({ type: 'lost', error, retryMs });
      await delay(retryMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  }
}

/** Looks at a source. @returns how it is to be decoded besides */
async function probeSource(
  address: SourceAddress,
  options: SourceOptions,
): Promise<{ readonly probed: Probed; readonly input: MediaInput }> {
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, rtspTransport = 'tcp', signal } = options;
  const confined = options.isConfined === true && address.kind === 'http' ? await confinement() : undefined;
  const plain = inputArguments(address, rtspTransport, confined);
  const concealed = concealedInput(address, rtspTransport, confined);
  const look = (input: MediaInput): Promise<Probed> =>
    probe(input, { label: address.label, timeoutMs: connectTimeoutMs, signal });
  try {
    if (concealed === undefined) return { probed: await look(plain), input: plain };
    // Whether it is a file, which a concealed one cannot say.
    const isPerhapsFile = address.kind === 'http';
    const probed = await look(isPerhapsFile ? plain : concealed);
    return { probed, input: isFileOf(address, probed) ? plain : concealed };
  } catch (error) {
    if (concealed !== undefined && isConcealmentRefused(error)) return { probed: await look(plain), input: plain };
    if (address.kind !== 'camera' || (error as MillraceError).details?.['cause'] !== 'not_found') throw error;
    throw sourceFault(address.label, 'not_found', `no such camera; ${camerasThere()}`);
  }
}

function isFileOf({ kind }: SourceAddress, { durationMs }: Probed): boolean {
  return kind === 'file' || (kind === 'http' && durationMs !== undefined);
}

/** Whether trying again may help: a wrong password stays wrong, and some cameras lock those who insist. */
function isPassing(error: unknown): error is MillraceError {
  const { reason, details } = error as MillraceError;
  return reason === 'SOURCE_FAILED' && details['cause'] !== 'unauthorized';
}

class FfmpegSource implements VideoSource {
  readonly properties: SourceProperties;
  readonly #input: MediaInput;
  readonly #options: SourceOptions;
  readonly #format: ReturnType<typeof formatOf>;
  readonly #spare: Buffer[] = [];
  readonly #buffer: FrameBuffer;
  readonly #adaptive: AdaptiveDrop | undefined;
  readonly #policy: BufferPolicy;
  readonly #closing = new AbortController();
  readonly #backOff: BackOff;
  readonly #running: Promise<void>;
  #decoder: Decoder | undefined;
  #captured = 0;
  #reconnections = 0;
  #complaints = 0;
  #firstComplaint: string | undefined;
  /** Of the last frame. */
  #timestampUs = -1;
  /** Added to the times of this connection's frames; undefined until its first one. */
  #offsetUs: number | undefined = 0;
  #firstFrameAtMs: number | undefined;

  constructor(address: SourceAddress, probed: Probed, input: MediaInput, options: SourceOptions) {
    const { kind, label } = address;
    const isFile = isFileOf(address, probed);
    const { width, height } = options.size ?? probed;
    const isLive = !isFile || options.isRealtime === true;
    const { codec, fps, durationMs, frames } = probed;
    this.properties = { label, isLive, width, height, codec, fps, durationMs, frames };
    this.#options = options;
    this.#backOff = new BackOff(undefined, options.reconnectDelayMs);
    this.#format = formatOf(options.pixels ?? 'rgb24', width, height, probed.planes);
    this.#input = input;
    this.#policy = options.buffer ?? (isLive ? LIVE_BUFFER : FILE_BUFFER);
    this.#buffer = new FrameBuffer(this.#policy, () => this.#decoder?.resume());
    const isAdaptive = isLive || options.buffer !== undefined;
    this.#adaptive = options.adaptive && isAdaptive ? new AdaptiveDrop(options.adaptive, probed.fps) : undefined;
    const run = isFile ? this.#runFile() : this.#runLive(kind === 'generator');
    this.#running = run.catch((error: unknown) => this.#buffer.end(error as Error));
  }

  get counts(): SourceCounts {
    return {
      captured: this.#captured,
      droppedFull: this.#buffer.droppedFull,
      droppedOlder: this.#buffer.droppedOlder,
      droppedAdaptive: this.#adaptive?.dropped ?? 0,
      reconnections: this.#reconnections,
      complaints: this.#complaints + (this.#decoder?.complaints ?? 0),
      firstComplaint: this.#firstComplaint ?? this.#decoder?.firstComplaint,
    };
  }

  async next(): Promise<VideoFrame | undefined> {
    const frame = await this.#buffer.take();
    if (frame !== undefined) this.#adaptive?.read();
    return frame;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#buffer.clear();
    await this.#decoder?.stop();
    await this.#running;
  }

  async #runFile(): Promise<void> {
    const { exit, stalledMs, fault } = await this.#decode(this.#options.isRealtime === true, 30_000);
    if (this.#closing.signal.aborted || isEnd({ exit, stalledMs, fault }, this.#captured)) this.#buffer.end();
    else throw this.#fault({ exit, stalledMs, fault });
  }

  /** Each end is a loss: ffmpeg's exit code does not tell a camera that left from one that said goodbye. */
  async #runLive(isGenerated: boolean): Promise<void> {
    const { maxReconnects = Infinity, retryFirst = false, onEvent } = this.#options;
    for (;;) {
      const before = this.#captured;
      const end = await this.#decode(isGenerated, 5_000);
      if (this.#closing.signal.aborted) return this.#buffer.end();
      if (isGenerated && isEnd(end, this.#captured)) return this.#buffer.end();
      const error = this.#fault(end);
      if (this.#captured > before) this.#backOff.succeeded();
      const mayRetry = this.#captured > 0 || retryFirst;
      if (!mayRetry || !isPassing(error) || this.#backOff.tries >= maxReconnects) throw error;
      const retryMs = this.#backOff.next();
      onEvent?.({ type: 'lost', error, retryMs });
      await delay(retryMs, undefined, { signal: this.#closing.signal }).catch(() => {});
      if (this.#closing.signal.aborted) return this.#buffer.end();
      this.#offsetUs = undefined;
    }
  }

  async #decode(isPaced: boolean, defaultStallMs: number): Promise<DecoderEnd> {
    const { jpegQuality = 3, useHardware = true, connectTimeoutMs, stallTimeoutMs } = this.#options;
    const { width, height } = this.properties;
    const decoder = new Decoder({
      input: this.#input,
      isPaced,
      pixels: this.#format.format,
      jpegQuality,
      width,
      height,
      useHardware,
      firstFrameMs: connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      stallMs: stallTimeoutMs ?? defaultStallMs,
      onFrame: (frame) => this.#take(frame),
      allocate: (bytes) => this.#memory(bytes),
    });
    this.#decoder = decoder;
    try {
      return await decoder.run();
    } finally {
      this.#complaints += decoder.complaints;
      this.#firstComplaint ??= decoder.firstComplaint;
      this.#decoder = undefined;
    }
  }

  #take({ data, timestampUs }: NutFrame): void {
    const now = performance.now();
    const { width, height, isLive } = this.properties;
    const { onEvent } = this.#options;
    if (this.#firstFrameAtMs === undefined) {
      this.#firstFrameAtMs = now;
      if (isLive) this.#offsetUs = -timestampUs;
      onEvent?.({ type: 'connected' });
    } else if (this.#offsetUs === undefined) {
      // A new connection counts from 0 again; it goes on where the clock is.
      this.#offsetUs = Math.round((now - this.#firstFrameAtMs) * 1000) - timestampUs;
      this.#reconnections++;
      this.#adaptive?.reset();
      onEvent?.({ type: 'connected' });
    }
    this.#timestampUs = Math.max(timestampUs + (this.#offsetUs ?? 0), this.#timestampUs + 1);
    this.#captured++;
    if (this.#adaptive?.drops() === true) return;
    this.#buffer.put({
      number: this.#captured,
      timestampUs: this.#timestampUs,
      capturedAtMs: now,
      width,
      height,
      ...this.#format,
      data,
      release: () => {
        if (this.#spare.length < SPARE_FRAMES && !this.#spare.includes(data)) this.#spare.push(data);
      },
    });
    if (this.#policy.whenFull === 'wait' && this.#buffer.isFull) this.#decoder?.pause();
  }

  #memory(bytes: number): Buffer {
    const spare = this.#spare.pop();
    if (spare?.length !== bytes) return allocateWithRoom(bytes);
    freeRoom(spare);
    return spare;
  }

  #fault({ exit, stalledMs, fault }: DecoderEnd): MillraceError {
    const { label } = this.properties;
    const fail = (cause: FaultCause, message: string): MillraceError => sourceFault(label, cause, message);
    if (stalledMs !== undefined) return fail('stalled', `no frame for ${stalledMs} ms`);
    if (fault !== undefined) return fail('unreadable', `the decoder's output cannot be read: ${fault.message}`);
    if (exit.signal !== null) return fail('killed', `the decoder was ${exitText(exit)}`);
    return fail(causeOf(exit, 'lost'), exit.stderr === '' ? 'the stream ended' : exitText(exit));
  }
}

function formatOf(
  pixels: NonNullable<SourceOptions['pixels']>,
  width: number,
  height: number,
  planes: Probed['planes'],
): { readonly format: NonNullable<SourceOptions['pixels']>; readonly isBt709?: boolean } {
  if (pixels !== 'yuv420p') return { format: pixels };
  const hasPlanes = planes !== undefined && width % 2 === 0 && height % 2 === 0;
  return hasPlanes ? { format: 'yuv420p', isBt709: planes === 'bt709' } : { format: 'rgb24' };
}

/** ffmpeg's exit code is 0 for a file whose damaged parts were left out, too. */
function isEnd({ exit, stalledMs, fault }: DecoderEnd, captured: number): boolean {
  return exit.code === 0 && stalledMs === undefined && fault === undefined && captured > 0;
}
