import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { messageOf, MillraceError } from '../base/errors.ts';
import { fileFault } from '../base/file-fault.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  /** The server's certificate, then those that lead to its authority. */
  readonly cert: string;
  readonly key: string;
  /** Authorities of clients: set, a client must show a certificate of one of them (mTLS). */
  readonly clientCa: string | undefined;
}

/** What was read, checked. PEM. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
  /** When the server's certificate ends: milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** Names the server's certificate in the log: SHA-256, in hexadecimal. */
  readonly fingerprint: string;
}

/**
 * Reads the files and checks that a server can use them.
 * @param now milliseconds since the epoch
 * @throws MillraceError CONFIG_INVALID naming the file and what is wrong: missing, no PEM, of another pair, expired
 */
export async function readTlsFiles(files: TlsFiles, now: number): Promise<TlsMaterial> {
  const [cert, key, clientCa] = await Promise.all([
    read('tls_cert', files.cert),
    read('tls_key', files.key),
    files.clientCa === undefined ? undefined : read('tls_client_ca', files.clientCa),
  ]);
  const [leaf, ...others] = certificates('tls_cert', files.cert, cert);
  for (const each of [leaf, ...others]) refuseOutdated('tls_cert', files.cert, each, now);
  if (!leaf.checkPrivateKey(privateKey(files.key, key))) {
    throw invalid('tls_key', files.key, `it does not belong to the certificate in ${files.cert}`);
  }
  if (clientCa !== undefined && files.clientCa !== undefined) {
    const authorities = certificates('tls_client_ca', files.clientCa, clientCa);
    for (const each of authorities) refuseOutdated('tls_client_ca', files.clientCa, each, now);
  }
  const material = {
    cert,
    key,
    clientCa,
    expiresAtMs: Date.parse(leaf.validTo),
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
  try {
    createSecureContext(secureContextOptions(material));
  } catch (error) {
    // A key that is too short for the security level, for example.
    throw invalid('tls_cert', files.cert, `TLS cannot use it: ${messageOf(error)}`, error);
  }
  return material;
}

/** What of a TLS server can be changed while it runs. */
export function secureContextOptions({ cert, key, clientCa }: Pick<TlsMaterial, 'cert' | 'key' | 'clientCa'>) {
  return { cert, key, ca: clientCa, minVersion: 'TLSv1.2' as const };
}

async function read(option: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw invalid(option, path, `cannot be read: ${fileFault(error)}`, error);
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificates(option: string, path: string, pem: Buffer): [X509Certificate, ...X509Certificate[]] {
  const [first, ...more] = pem.toString('latin1').match(PEM_CERTIFICATE) ?? [];
  if (first === undefined) throw invalid(option, path, 'no certificate in it; PEM ("BEGIN CERTIFICATE") expected');
  try {
    return [new X509Certificate(first), ...more.map((each) => new X509Certificate(each))];
  } catch (error) {
    throw invalid(option, path, `a certificate in it is damaged: ${messageOf(error)}`, error);
  }
}

function privateKey(path: string, pem: Buffer): KeyObject {
  const text = pem.toString('latin1');
  if (/ENCRYPTED/.test(text)) throw invalid('tls_key', path, 'it has a passphrase; a key without one expected');
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw invalid('tls_key', path, 'no private key in it; PEM ("BEGIN PRIVATE KEY") expected', error);
  }
}

function refuseOutdated(option: string, path: string, certificate: X509Certificate, now: number): void {
  const { validFrom, validTo, subject } = certificate;
  const whose = subject.split('\n').at(-1) ?? '';
  if (Date.parse(validTo) <= now) throw invalid(option, path, `the certificate of ${whose} expired on ${validTo}`);
  if (Date.parse(validFrom) > now) {
    throw invalid(option, path, `the certificate of ${whose} is not valid before ${validFrom}`);
  }
}

function invalid(option: string, path: string, problem: string, cause?: unknown): MillraceError {
  return new MillraceError('CONFIG_INVALID', `${option}: ${path}: ${problem}`, { cause });
}
