import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import type { LogValues } from '../../serving/log-settings.ts';
import { noControls } from '../../serving/server-controls.ts';
import type { TraceValues } from '../../serving/trace-settings.ts';
import { kindOf } from '../wire/json-fields.ts';
import type { JsonObject, JsonValue } from '../wire/json-reader.ts';
import { readJsonObject } from './json-body.ts';
import type { RestParts } from './parts.ts';
import { failures, jsonSchema } from './schemas.ts';

const TraceSettingsBody = z.object({
  trace_level: z.array(z.string()).describe('Always OFF.'),
  trace_rate: z.string(),
  trace_count: z.string(),
  log_frequency: z.string(),
  trace_file: z.string(),
  trace_mode: z.string(),
});
const LogSettingsBody = z.object({
  log_file: z.string(),
  log_info: z.boolean(),
  log_warning: z.boolean(),
  log_error: z.boolean(),
  log_verbose_level: z.int().min(0).describe('1: debug; 2 or more: trace, too.'),
  log_format: z.enum(['default', 'ISO8601']),
});
/** Each of them may be left out. */
const TraceChanges = z.partialRecord(TraceSettingsBody.keyof(), z.unknown());
const LogChanges = LogSettingsBody.partial();

/** Triton's trace and logging extensions (KServe sheet §3.3). */
export async function settingRoutes(app: FastifyInstance, { controls = noControls() }: RestParts): Promise<void> {
  const { trace, log } = controls;
  const tags = ['settings'];
  const traceReply = { 200: jsonSchema(TraceSettingsBody), ...failures };
  const traceBody = jsonSchema(TraceChanges);
  for (const path of ['/v2/trace/setting', '/v2/models/:model/trace/setting']) {
    app.get(path, { schema: { summary: 'Trace settings', tags, response: traceReply } }, async (request) =>
      toTraceBody(trace.get(modelOf(request))),
    );
    const change = {
      summary: 'Change trace settings; null takes one back',
      tags,
      body: traceBody,
      response: traceReply,
    };
    app.post(path, { schema: change }, async (request) => {
      const changes = toTraceValues(readJsonObject(request, 'trace setting', false));
      return toTraceBody(trace.update(modelOf(request), changes));
    });
  }
  const logReply = { 200: jsonSchema(LogSettingsBody), ...failures };
  app.get('/v2/logging', { schema: { summary: 'Log settings', tags, response: logReply } }, async () => log.get());
  const change = { summary: 'Change log settings', tags, body: jsonSchema(LogChanges), response: logReply };
  app.post('/v2/logging', { schema: change }, async (request) =>
    log.update(toLogValues(readJsonObject(request, 'log setting', false))),
  );
}

function modelOf(request: FastifyRequest): string {
  return (request.params as { readonly model?: string }).model ?? '';
}

/** All are texts but the level, which is a list of them. */
function toTraceBody(values: TraceValues): object {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, name === 'trace_level' ? value : (value[0] ?? '')]),
  );
}

function toTraceValues(body: JsonObject): TraceValues {
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, toTexts(name, value)]));
}

function toTexts(name: string, value: JsonValue): readonly string[] {
  if (value === null) return [];
  if (name === 'trace_level') {
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    throw wrongType(name, value, 'an array of strings, or null');
  }
  if (typeof value === 'string') return [value];
  throw wrongType(name, value, 'a string, or null');
}

/** What is null is not changed. */
function toLogValues(body: JsonObject): LogValues {
  const values: Record<string, boolean | number | string> = {};
  for (const [name, value] of Object.entries(body)) {
    if (value === null) continue;
    if (typeof value === 'object') throw wrongType(name, value, 'a boolean, a number or a string');
    values[name] = typeof value === 'bigint' ? Number(value) : value;
  }
  return values;
}

function wrongType(name: string, value: JsonValue, expected: string): MillraceError {
  return new MillraceError('INVALID_PARAMETER', `setting "${name}" is ${kindOf(value)}, ${expected} expected`, {
    details: { parameter: name, expected },
  });
}
