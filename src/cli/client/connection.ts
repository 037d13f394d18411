import { readFileSync } from 'node:fs';
import { GrpcClient } from '../../client/grpc-client.ts';
import { RestClient } from '../../client/rest-client.ts';
import type { ConnectionOptions } from '../../client/request.ts';
import type { Flags, Given } from './flags.ts';

/** Where the server is: flags of every client command. */
export const CONNECTION_FLAGS = {
  protocol: { short: 'i', value: 'grpc|rest', default: 'grpc', description: 'How to ask.' },
  url: {
    short: 'u',
    value: 'address',
    description: 'The server. Default: 127.0.0.1:9000 (gRPC), http://127.0.0.1:8080 (REST).',
  },
  header: { short: 'H', value: 'name: value', isRepeatable: true, description: 'Sent with every call.' },
  token: { value: 'token', description: 'A bearer token; also from MILLRACE_TOKEN.' },
  tls: { description: 'Encrypt; trust the system’s authorities.' },
  tls_ca: { value: 'file', description: 'Encrypt; trust this authority (PEM).' },
  tls_cert: { value: 'file', description: 'This client’s certificate (PEM), with --tls_key.' },
  tls_key: { value: 'file', description: 'This client’s key (PEM).' },
  timeout: { value: 'seconds', default: '60', description: 'Longest call; 0: none.' },
} as const satisfies Flags;

type Connection = Given<Omit<typeof CONNECTION_FLAGS, 'protocol'>>;

/** @param where in place of --url */
export function openGrpc(given: Connection, variables: NodeJS.ProcessEnv, where?: string): GrpcClient {
  const address = (where ?? given.text('url') ?? '127.0.0.1:9000').replace(/^grpcs?:\/\//, '').replace(/\/$/, '');
  return new GrpcClient({ address, ownConnection: true, ...optionsOf(given, variables) });
}

/** @param binary see {@link RestClient} */
export function openRest(given: Connection, variables: NodeJS.ProcessEnv, binary = true): RestClient {
  const text = given.text('url') ?? 'http://127.0.0.1:8080';
  const url = /^https?:\/\//.test(text) ? text : `${isEncrypted(given) ? 'https' : 'http'}://${text}`;
  return new RestClient({ url, binary, ...optionsOf(given, variables) });
}

function optionsOf(given: Connection, variables: NodeJS.ProcessEnv): ConnectionOptions {
  return {
    headers: Object.fromEntries(given.all('header').map((text) => headerOf(given, text))),
    token: given.text('token') ?? variables['MILLRACE_TOKEN'],
    tls: isEncrypted(given)
      ? { ca: fileOf(given, 'tls_ca'), cert: fileOf(given, 'tls_cert'), key: fileOf(given, 'tls_key') }
      : undefined,
    timeoutMs: (given.number('timeout') ?? 0) * 1000,
  };
}

function isEncrypted(given: Connection): boolean {
  return given.has('tls') || given.has('tls_ca') || given.has('tls_cert');
}

function headerOf(given: Connection, text: string): [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw given.usage(`--header: "${text}" given, "name: value" expected`);
  return [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()];
}

function fileOf(given: Connection, name: 'tls_ca' | 'tls_cert' | 'tls_key'): Buffer | undefined {
  const path = given.text(name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw given.usage(`--${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
