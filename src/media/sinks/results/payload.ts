import type { Prediction, ResultRecord } from './result-record.ts';

/**
 * A result as Roboflow's UDP sink sends it (sheet §4): the same keys in the same order, numbers as Python writes floats,
 * times local without a zone. The field `millrace` is ours.
 * @param part of several that a long result was split into
 */
export function resultText(record: ResultRecord, options: PayloadOptions = {}): string {
  const { head, foot } = resultFrame(record, options.now);
  return head + record.result.predictions.map(predictionText).join(', ') + foot(options);
}

/** What stands before the predictions, and behind them. */
export function resultFrame(
  record: ResultRecord,
  now = epochMs(),
): { readonly head: string; readonly foot: (options: PayloadOptions) => string } {
  const { result } = record;
  const image = `{"width": ${result.width}, "height": ${result.height}}`;
  const metadata =
    `{"source_id": ${result.source_id}, "frame_id": ${result.frame_id}, ` +
    `"frame_decoding_time": "${localTime(result.captured_at_ms)}", "emission_time": "${localTime(now)}"}`;
  const outputs = result.outputs === undefined ? '' : `, "outputs": ${asciiJson(result.outputs)}`;
  return {
    head: `{"image": ${image}, "predictions": [`,
    foot: (options) => {
      const own = options.plain === true ? '' : `, "millrace": ${ownText(record, options)}`;
      return `], "inference_metadata": ${metadata}${outputs}${own}}`;
    },
  };
}

export interface PayloadOptions {
  /** Without our own field. */
  readonly plain?: boolean;
  readonly part?: { readonly index: number; readonly count: number };
  /** Predictions that were left out. */
  readonly truncated?: number;
  /** ms since the epoch. */
  readonly now?: number;
}

function ownText({ pipelineId, sequence, result }: ResultRecord, { part, truncated }: PayloadOptions): string {
  return asciiJson({
    pipeline_id: pipelineId,
    sequence,
    captured_at: utcTime(result.captured_at_ms),
    ...(part !== undefined && { part: part.index, parts: part.count }),
    ...(truncated !== undefined && { truncated }),
  });
}

/** As JSON for programs of today: UTC times, our own names. */
export function resultJson({ pipelineId, sequence, result }: ResultRecord): object {
  const { source_id, frame_id, captured_at_ms, width, height, predictions, outputs } = result;
  return {
    pipeline_id: pipelineId,
    sequence,
    source_id,
    frame_id,
    captured_at: utcTime(captured_at_ms),
    emitted_at: utcTime(epochMs()),
    image: { width, height },
    predictions,
    ...(outputs !== undefined && { outputs }),
  };
}

export function predictionText(found: Prediction): string {
  return (
    `{"x": ${floatText(found.x)}, "y": ${floatText(found.y)}, "width": ${floatText(found.width)}, ` +
    `"height": ${floatText(found.height)}, "confidence": ${floatText(found.confidence)}, ` +
    `"class": ${asciiJson(found.class)}, "class_id": ${found.class_id}, "detection_id": "${found.detection_id}"}`
  );
}

/** 80 as `80.0`: a Python program reads a float, as from Roboflow's. */
function floatText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/** Python's `json.dumps`: ASCII only. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** ms since the epoch, with microseconds. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

/** ISO 8601 in UTC, with microseconds. */
export function utcTime(ms: number): string {
  const micros = Math.round(ms * 1000);
  const rest = String(((micros % 1000) + 1000) % 1000).padStart(3, '0');
  return new Date(Math.floor(micros / 1000)).toISOString().replace('Z', `${rest}Z`);
}

/** ms since the epoch of what {@link utcTime} wrote. */
export function microsecondsOf(text: string): number {
  return Date.parse(text.replace(/\d{3}Z$/, 'Z')) + Number(text.slice(-4, -1)) / 1000;
}

/**
 * Python's `datetime.isoformat()` of a local time: microseconds, or no fraction where that is zero.
 * @param ms since the epoch
 */
export function localTime(ms: number): string {
  const micros = Math.round(ms * 1000);
  const date = new Date(Math.floor(micros / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const fraction = ((micros % 1_000_000) + 1_000_000) % 1_000_000;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day}T${time}${fraction === 0 ? '' : `.${String(fraction).padStart(6, '0')}`}`;
}
