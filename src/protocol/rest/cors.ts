import type { FastifyCorsOptions } from '@fastify/cors';
import { messageOf, MillraceError } from '../../base/errors.ts';
import type { RestOptions } from './parts.ts';

/** What browsers are told; undefined: nothing, so they refuse calls from pages of elsewhere. */
export function toCors({
  cors,
  corsOrigins = [],
}: Pick<RestOptions, 'cors' | 'corsOrigins'>): FastifyCorsOptions | undefined {
  if (cors === undefined) {
    if (corsOrigins.length === 0) return undefined;
    return { origin: corsOrigins.includes('*') ? '*' : [...corsOrigins] };
  }
  const { allowOrigins, allowOriginRegex, allowMethods, allowHeaders, exposeHeaders } = cors;
  const origins: (string | RegExp)[] = [...allowOrigins];
  if (allowOriginRegex !== undefined) origins.push(wholeMatch(allowOriginRegex));
  return {
    origin: allowOrigins.includes('*') ? '*' : origins,
    credentials: cors.allowCredentials,
    methods: allowMethods.includes('*')
      ? ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT']
      : [...allowMethods],
    // Not said: what the browser asks for is allowed.
    ...(!allowHeaders.includes('*') && { allowedHeaders: [...allowHeaders] }),
    exposedHeaders: [...exposeHeaders],
    maxAge: cors.maxAgeS,
  };
}

function wholeMatch(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw new MillraceError(
      'CONFIG_INVALID',
      `allow_origin_regex is ${JSON.stringify(pattern)}, a regular expression expected: ${messageOf(error)}`,
    );
  }
}
