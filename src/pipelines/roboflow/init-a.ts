import type { ModelConfiguration, PipelineRequest, SinkSpec } from '../common/pipeline-schema.ts';
import { CONSUMPTION, FILLING } from '../common/pipeline-schema.ts';
import { indexingFault, pythonRepr } from './python-text.ts';
import { keyError, RoboflowFailure, valueError } from './failure.ts';

type Payload = Readonly<Record<string, unknown>>;

/**
 * A pipeline from the `init` command of generation A. Fields are looked at in the order of the original, so that the same
 * one is complained of (sheet §2).
 * @param queueSize of its sink
 * @throws RoboflowFailure
 */
export function pipelineOfInitA(payload: Payload, queueSize: number): PipelineRequest {
  const sink = sinkOf(mapping(payload, 'sink_configuration'), queueSize);
  const filling = strategy(payload, 'source_buffer_filling_strategy', FILLING, 'BufferFillingStrategy');
  const consumption = strategy(payload, 'source_buffer_consumption_strategy', CONSUMPTION, 'BufferConsumptionStrategy');
  const model = mapping(payload, 'model_configuration');
  if (!('type' in model)) throw keyError('type');
  if (model['type'] !== 'object-detection') {
    throw notImplemented('Only object-detection models are supported');
  }
  if (!('model_id' in payload)) throw keyError('model_id');
  const modelId = payload['model_id'];
  if (typeof modelId !== 'string' || modelId === '') {
    throw new RoboflowFailure('internal_error', {
      errorClass: 'InvalidModelIDError',
      errorMessage: `Model ID: \`${String(modelId)}\` is invalid.`,
    });
  }
  if (!('video_reference' in payload)) throw keyError('video_reference');
  const reference = referenceOf(payload['video_reference']);
  return {
    video_reference: reference,
    model_id: modelId,
    version: '',
    model_configuration: { ...configurationOf(model), nms: 'roboflow' },
    max_fps: numberOf(payload, 'max_fps') ?? null,
    ...(filling !== undefined && { source_buffer_filling_strategy: filling }),
    ...(consumption !== undefined && { source_buffer_consumption_strategy: consumption }),
    batch_collection_timeout: numberOf(payload, 'batch_collection_timeout'),
    video_source_properties: propertiesOf(payload['video_source_properties'], reference),
    sinks: [sink],
    realtime: false,
    persist: false,
  };
}

function mapping(payload: Payload, key: string): Payload {
  if (!(key in payload)) throw keyError(key);
  const value = payload[key];
  const fault = indexingFault(value);
  if (fault !== undefined) {
    throw new RoboflowFailure('internal_error', { errorClass: 'TypeError', errorMessage: fault });
  }
  return value as Payload;
}

function sinkOf(sink: Payload, queueSize: number): SinkSpec {
  if (!('type' in sink)) throw keyError('type');
  if (sink['type'] !== 'udp_sink') throw notImplemented('Only `udp_socket` sink type is supported');
  for (const key of ['host', 'port']) if (!(key in sink)) throw keyError(key);
  const { host, port } = sink as { readonly host: unknown; readonly port: unknown };
  // A port that is none shows in the report only, as with the original.
  const number = typeof port === 'number' && Number.isInteger(port) ? port : 0;
  return {
    type: 'udp',
    host: String(host),
    port: number,
    plain: false,
    when_too_long: 'split',
    queue_size: queueSize,
  };
}

function strategy<const Names extends readonly string[]>(
  payload: Payload,
  key: string,
  names: Names,
  enumeration: string,
): Names[number] | undefined {
  const value = payload[key];
  if (value === undefined || value === null) return undefined;
  const name = typeof value === 'string' ? value.toUpperCase() : pythonRepr(value);
  if ((names as readonly string[]).includes(name)) return name as Names[number];
  throw valueError(`${pythonRepr(name)} is not a valid ${enumeration}`, 'internal_error');
}

/** @throws RoboflowFailure for what is no list of references, or an empty one */
export function referenceOf(value: unknown): PipelineRequest['video_reference'] {
  const isOne = (each: unknown): each is string | number =>
    (typeof each === 'string' && each !== '') || (typeof each === 'number' && Number.isInteger(each) && each >= 0);
  if (isOne(value)) return value;
  if (Array.isArray(value) && value.length > 0 && value.length <= 64 && value.every(isOne)) return value;
  if (Array.isArray(value) && value.length === 0) {
    throw valueError('Cannot initialise pipeline without any video source', 'internal_error');
  }
  throw valueError(`video_reference: ${pythonRepr(value)} given, a text, a device number or a list of these expected`);
}

/** Nulls are the server's own defaults. No range is checked, as in the original. */
function configurationOf(model: Payload): ModelConfiguration {
  const number = (key: string): number | undefined => numberOf(model, key);
  const whole = (key: string): number | undefined => {
    const value = number(key);
    return value === undefined ? undefined : Math.max(0, Math.trunc(value));
  };
  const agnostic = model['class_agnostic_nms'];
  const given = {
    confidence: number('confidence'),
    iou_threshold: number('iou_threshold'),
    class_agnostic_nms: typeof agnostic === 'boolean' ? agnostic : undefined,
    max_detections: whole('max_detections'),
    max_candidates: whole('max_candidates'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function numberOf(payload: Payload, key: string): number | undefined {
  const value = payload[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return value;
  throw valueError(`${key}: ${pythonRepr(value)} given, a number expected`);
}

/** @throws RoboflowFailure where a list has not one entry for each source */
export function propertiesOf(
  value: unknown,
  reference: PipelineRequest['video_reference'],
): PipelineRequest['video_source_properties'] {
  if (value === undefined || value === null) return undefined;
  const isMap = (each: unknown): each is Record<string, number | string> =>
    each !== null &&
    typeof each === 'object' &&
    !Array.isArray(each) &&
    Object.values(each).every((one) => typeof one === 'number' || typeof one === 'string');
  if (isMap(value)) return value;
  const sources = Array.isArray(reference) ? reference.length : 1;
  if (Array.isArray(value) && value.every((each) => each === null || isMap(each))) {
    if (value.length === sources) return value as (Record<string, number | string> | null)[];
    throw valueError(
      'Cannot apply `video_source_properties` to video sources due to dimensions mismatch',
      'internal_error',
    );
  }
  throw valueError(
    `video_source_properties: ${pythonRepr(value)} given, numbers by name, or a list of these, expected`,
  );
}

function notImplemented(message: string): RoboflowFailure {
  return new RoboflowFailure('invalid_payload', { errorClass: 'NotImplementedError', errorMessage: message });
}
