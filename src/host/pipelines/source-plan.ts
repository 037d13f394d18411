import type { AdaptiveLimits } from '../../media/sources/adaptive-drop.ts';
import type { BufferPolicy } from '../../media/sources/frame-buffer.ts';
import type { SourceOptions } from '../../media/sources/ffmpeg-source.ts';
import { parseSourceAddress } from '../../media/sources/source-address.ts';
import { referencesOf, type AdaptiveSettings, type PipelineRequest } from '../../pipelines/common/pipeline-schema.ts';
import type { PipelineProgram } from '../../pipelines/common/messages.ts';

/** How one source of a pipeline is opened, and how reports name that. */
export interface SourcePlan {
  readonly reference: string;
  readonly options: SourceOptions;
  /** Frames that it gave before a host was lost. */
  readonly startFrame: number;
  namesOf(isLive: boolean | undefined): {
    readonly filling: string | undefined;
    readonly consumption: string | undefined;
    readonly buffer_size: number;
    readonly drops_by?: 'paces' | 'fullness';
  };
}

type Filling = NonNullable<PipelineRequest['source_buffer_filling_strategy']>;
type Consumption = NonNullable<PipelineRequest['source_buffer_consumption_strategy']>;

const EAGER_SIZE = 2;
const LAZY_SIZE = 8;

const WHEN_FULL: Readonly<Record<Filling, BufferPolicy['whenFull']>> = {
  WAIT: 'wait',
  DROP_OLDEST: 'drop_oldest',
  ADAPTIVE_DROP_OLDEST: 'drop_oldest',
  DROP_LATEST: 'drop_newest',
  ADAPTIVE_DROP_LATEST: 'drop_newest',
};

/** @param pixels that the servable is best given. Default `rgb24`. */
export function planSources(
  { pipeline, sources = {}, startFrames, isConfined }: PipelineProgram,
  pixels: 'rgb24' | 'yuv420p' = 'rgb24',
): SourcePlan[] {
  // Boxes are drawn into RGB.
  const isDrawn = pipeline.sinks.some((sink) => 'target' in sink);
  return referencesOf(pipeline).map((reference, index) => {
    const { source_buffer_filling_strategy: filling, source_buffer_consumption_strategy: consumption } = pipeline;
    // Before it is connected, what its reference says; a video over HTTP may turn out to be a file.
    const seemsLive = !isFile(reference) || pipeline.realtime;
    const chosen = strategies(filling, consumption, seemsLive);
    const adaptive = adaptiveLimits(filling, seemsLive, { ...sources.adaptive, ...pipeline.adaptive });
    const givenSize = pipeline.buffer_size ?? sources.buffer_size;
    const capacity = givenSize ?? (chosen.consumption === 'EAGER' ? EAGER_SIZE : LAZY_SIZE);
    const buffer: BufferPolicy = {
      capacity,
      whenFull: WHEN_FULL[chosen.filling],
      take: chosen.consumption === 'EAGER' ? 'newest' : 'next',
    };
    const isGiven = filling !== undefined || consumption !== undefined || givenSize !== undefined;
    return {
      reference,
      startFrame: startFrames[index] ?? 0,
      options: {
        pixels: isDrawn ? 'rgb24' : pixels,
        isRealtime: pipeline.realtime,
        ...(isConfined === true && { isConfined }),
        ...(isGiven && { buffer }),
        ...(adaptive !== undefined && { adaptive }),
        ...sizeOf(pipeline, index),
        connectTimeoutMs: pipeline.connect_timeout_ms,
        stallTimeoutMs: pipeline.stall_timeout_ms,
        maxReconnects: pipeline.max_reconnects,
        ...(sources.reconnect_delay_s !== undefined && { reconnectDelayMs: sources.reconnect_delay_s * 1000 }),
      },
      namesOf: (isLive) => {
        if (isLive === undefined) return { filling: undefined, consumption: undefined, buffer_size: capacity };
        const names = isGiven ? chosen : strategies(filling, consumption, isLive);
        const size = isGiven ? capacity : isLive ? EAGER_SIZE : 4;
        const isAdaptive = names.filling.startsWith('ADAPTIVE_');
        const drops = adaptive === undefined || (!isLive && !isGiven) ? 'fullness' : 'paces';
        return { ...names, buffer_size: size, ...(isAdaptive && { drops_by: drops }) };
      },
    };
  });
}

function strategies(
  filling: Filling | undefined,
  consumption: Consumption | undefined,
  isLive: boolean,
): { readonly filling: Filling; readonly consumption: Consumption } {
  return {
    filling: filling ?? (isLive ? 'ADAPTIVE_DROP_OLDEST' : 'WAIT'),
    consumption: consumption ?? (isLive ? 'EAGER' : 'LAZY'),
  };
}

/**
 * Who asks for `ADAPTIVE_…` gets it by paces, unless `backpressure` is true. Live sources of which nothing is said have that
 * name in Roboflow's reports too (sheet §3); by paces 16 frames of 17 are lost of a camera that declares more than it gives, so
 * theirs is what `VIDEO_SOURCE_ADAPTIVE_BACKPRESSURE` makes of it, by the fullness of the buffer, unless `backpressure` is false.
 */
function adaptiveLimits(
  filling: Filling | undefined,
  seemsLive: boolean,
  given: AdaptiveSettings,
): AdaptiveLimits | undefined {
  const { backpressure = filling === undefined } = given;
  const isAdaptive = filling === undefined ? seemsLive : filling.startsWith('ADAPTIVE_');
  if (!isAdaptive || backpressure) return undefined;
  return {
    streamPaceTolerance: given.adaptive_mode_stream_pace_tolerance ?? 0.1,
    readerPaceTolerance: given.adaptive_mode_reader_pace_tolerance ?? 5,
    minimumSamples: given.minimum_adaptive_mode_samples ?? 10,
    maximumDroppedInRow: given.maximum_adaptive_frames_dropped_in_row ?? 16,
  };
}

function isFile(reference: string): boolean {
  try {
    return parseSourceAddress(reference).kind === 'file';
  } catch {
    return true;
  }
}

function sizeOf({ video_source_properties: given }: PipelineRequest, index: number): Pick<SourceOptions, 'size'> {
  const properties = Array.isArray(given) ? given[index] : given;
  const [width, height] = [Number(properties?.['frame_width']), Number(properties?.['frame_height'])];
  const isSize = [width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= 16_384);
  return isSize ? { size: { width, height } } : {};
}
