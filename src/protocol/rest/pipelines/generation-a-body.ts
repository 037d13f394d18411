import {
  bool,
  BodyFaults,
  float,
  int,
  list,
  map,
  nullable,
  parseJsonBody,
  record,
  reference,
  text,
  union,
  type BodyFault,
} from './roboflow-body.ts';

const properties = map(float);

/** `PipelineInitialisationRequest` of generation A (sheet §1). */
const initialisation = record({
  model_id: { check: text, isRequired: true },
  video_reference: {
    check: (value, loc, faults) =>
      Array.isArray(value) ? list(reference)(value, loc, faults) : reference(value, loc, faults),
    isRequired: true,
  },
  sink_configuration: {
    check: record({
      type: { check: text, fallback: 'udp_sink' },
      host: { check: text, isRequired: true },
      port: { check: int, isRequired: true },
    }),
    isRequired: true,
  },
  api_key: { check: nullable(text) },
  max_fps: { check: nullable(float) },
  source_buffer_filling_strategy: { check: nullable(text) },
  source_buffer_consumption_strategy: { check: nullable(text) },
  model_configuration: {
    check: record({
      type: { check: text, fallback: 'object-detection' },
      class_agnostic_nms: { check: nullable(bool) },
      confidence: { check: nullable(float) },
      iou_threshold: { check: nullable(float) },
      max_candidates: { check: nullable(int) },
      max_detections: { check: nullable(int) },
    }),
    fallback: { type: 'object-detection' },
  },
  active_learning_enabled: { check: nullable(bool) },
  video_source_properties: {
    check: (value, loc, faults) =>
      Array.isArray(value)
        ? list(nullable(properties))(value, loc, faults)
        : union({ 'dict[str,float]': properties })(value, loc, faults),
    fallback: {},
  },
  active_learning_target_dataset: { check: nullable(text) },
  batch_collection_timeout: { check: nullable(float) },
});

/** The command that generation A's API makes of a body. @throws BodyFaults */
export function initCommandA(body: Buffer): Readonly<Record<string, unknown>> {
  if (body.length === 0) throw new BodyFaults([{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]);
  const faults: BodyFault[] = [];
  const command = initialisation(parseJsonBody(body), ['body'], faults);
  if (faults.length > 0) throw new BodyFaults(faults);
  return { type: 'init', ...(command as Readonly<Record<string, unknown>>) };
}
