import { hideCredentials, hideInAddress } from '../../media/ffmpeg/redact.ts';
import { JsonLinesResults } from '../../media/sinks/results/json-lines-results.ts';
import { MqttResults } from '../../media/sinks/results/mqtt-results.ts';
import { ResultQueue, type ResultDriver } from '../../media/sinks/results/result-queue.ts';
import type { ResultSink } from '../../media/sinks/results/result-record.ts';
import { UdpResults } from '../../media/sinks/results/udp-results.ts';
import { WebhookResults } from '../../media/sinks/results/webhook-results.ts';
import { WebsocketResults } from '../../media/sinks/results/websocket-results.ts';
import { unusedPath } from '../../media/sinks/unused-path.ts';
import { openSink } from '../../media/sinks/open-sink.ts';
import type { SinkSpec } from '../../pipelines/common/pipeline-schema.ts';
import type { SinkReport } from '../../pipelines/common/report.ts';
import { PictureSink, type OpenPictures } from './picture-sink.ts';

/** The sinks of a pipeline that live in its host; `memory` lives at the front. */
export interface HostSinks {
  readonly results: readonly ResultSink[];
  readonly pictures: readonly PictureSink[];
}

/** @param onError told of failures, with the sink's type */
export function openSinks(specs: readonly SinkSpec[], onError: (sink: string, message: string) => void): HostSinks {
  const results: ResultSink[] = [];
  const pictures: PictureSink[] = [];
  for (const spec of specs) {
    const report = (message: string): void => onError(spec.type, hideCredentials(message));
    if ('target' in spec) {
      // A file made of a file has every frame; anything else is never waited for.
      const open: OpenPictures = (isLive, onLost) => {
        const whenFull = isLive || spec.type === 'rtsp' ? 'drop_oldest' : 'wait';
        return openSink(spec.type === 'video_file' ? unusedPath(spec.target) : spec.target, {
          queue: { capacity: spec.queue_size, whenFull },
          retryFirst: spec.type === 'rtsp',
          isPaced: !isLive,
          onEvent: ({ error }) => onLost(error),
        });
      };
      pictures.push(
        new PictureSink(spec.type, hideInAddress(spec.target), spec.source_id, spec.annotate, open, report),
      );
      continue;
    }
    const driver = driverOf(spec);
    if (driver !== undefined) results.push(new ResultQueue(driver, spec.queue_size, report));
  }
  return { results, pictures };
}

function driverOf(spec: Exclude<SinkSpec, { target: string }>): ResultDriver | undefined {
  switch (spec.type) {
    case 'memory':
      return undefined;
    case 'udp':
      return new UdpResults({ ...spec, whenTooLong: spec.when_too_long });
    case 'json_lines':
      return new JsonLinesResults(spec.path);
    case 'webhook':
      return new WebhookResults({
        ...spec,
        secret: spec.secret,
        headers: spec.headers ?? {},
        timeoutMs: spec.timeout_ms,
        onlyDetections: spec.only_detections,
      });
    case 'mqtt':
      return new MqttResults(spec);
    case 'websocket':
      return new WebsocketResults(spec.url);
  }
}

export function sinkReport({ type, target, counts }: ResultSink): SinkReport {
  const { delivered, failed, dropped, waiting, lastError } = counts;
  return { type, target, delivered, failed, dropped, waiting, last_error: lastError };
}
