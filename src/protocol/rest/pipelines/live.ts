import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { MillraceError } from '../../../base/errors.ts';
import { resultJson } from '../../../media/sinks/results/payload.ts';
import type { Pipeline } from '../../../pipelines/pipeline.ts';
import { ownReport } from '../../../pipelines/roboflow/status-report.ts';

/** Unsent bytes of a connection from which on it misses events or pictures. */
const HIGH_WATER = 1 << 20;
const PICTURE_MS = 10_000;
const BEAT_MS = 15_000;
const BOUNDARY = 'millrace-frame';

/** Events: `result` one frame each, `update` what happens, `report` the numbers, `end` the last one. A slow reader misses results. */
export function streamEvents(pipeline: Pipeline, reply: FastifyReply): FastifyReply {
  const { raw } = begin(reply, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
  let missed = 0;
  const hasRoom = (): boolean => {
    if (raw.writableLength <= HIGH_WATER) return true;
    missed++;
    return false;
  };
  const send = (event: string, data: object, id?: number): void => {
    raw.write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
  };
  const beat = setInterval(() => raw.write(': \n\n'), BEAT_MS);
  for (const update of pipeline.updates) if (hasRoom()) send('update', update);
  send('report', ownReport(pipeline));
  const leave = pipeline.watch({
    onResults: ({ sequence, results }) => {
      for (const [index, result] of results.entries()) {
        if (!hasRoom()) continue;
        const told = missed > 0 ? { missed } : {};
        missed = 0;
        send(
          'result',
          { ...resultJson({ pipelineId: pipeline.id, sequence: sequence + index, result }), ...told },
          sequence + index,
        );
      }
    },
    onUpdate: (update) => {
      if (hasRoom()) send('update', update);
    },
    onReport: () => {
      if (hasRoom()) send('report', ownReport(pipeline));
    },
    onEnd: () => {
      // What waits may take its reader longer than the next beat.
      clearInterval(beat);
      raw.end(`event: end\ndata: ${JSON.stringify({ state: pipeline.state })}\n\n`);
    },
  });
  raw.once('close', () => {
    clearInterval(beat);
    leave();
  });
  return reply;
}

/** The next frame of a source as a JPEG. @throws MillraceError PIPELINE_STATE when none comes */
export async function takePicture(pipeline: Pipeline, source: number, reply: FastifyReply): Promise<FastifyReply> {
  const jpeg = await new Promise<Uint8Array>((resolve, reject) => {
    const fail = (text: string): void => {
      settle();
      reject(new MillraceError('PIPELINE_STATE', text, { details: { state: pipeline.state } }));
    };
    const timer = setTimeout(() => fail(`no frame of source ${source} within ${PICTURE_MS / 1000} s`), PICTURE_MS);
    const leave = pipeline.watch({
      onFrame: (id, _frameId, data) => {
        if (id !== source) return;
        settle();
        resolve(data);
      },
      onEnd: () => fail('the pipeline has ended'),
    });
    const settle = (): void => {
      clearTimeout(timer);
      leave();
    };
    reply.raw.once('close', settle);
  });
  return reply.header('content-type', 'image/jpeg').header('cache-control', 'no-store').send(Buffer.from(jpeg));
}

/** Pictures as parts of one answer, which browsers show in an <img>; a slow reader misses some. */
export function streamPictures(pipeline: Pipeline, source: number, reply: FastifyReply): FastifyReply {
  const { raw } = begin(reply, { 'content-type': `multipart/x-mixed-replace; boundary=${BOUNDARY}` });
  const leave = pipeline.watch({
    onFrame: (id, _frameId, jpeg) => {
      if (id !== source || raw.writableLength > HIGH_WATER) return;
      raw.write(`--${BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
      raw.write(jpeg);
      raw.write('\r\n');
    },
    onEnd: () => raw.end(`--${BOUNDARY}--\r\n`),
  });
  raw.once('close', leave);
  return reply;
}

/** Sends the headers; the rest is written by hand. */
function begin(reply: FastifyReply, headers: Readonly<Record<string, string>>): { readonly raw: ServerResponse } {
  const { raw } = reply.hijack();
  raw.on('error', () => {}); // `close` follows
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...headers, 'cache-control': 'no-store' });
  raw.flushHeaders();
  return { raw };
}
