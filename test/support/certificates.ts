import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of PEM files. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** An authority in a folder, made with openssl; what it signs is for tests only. */
export class TestAuthority {
  readonly path: string;
  readonly #folder: string;
  readonly #name: string;

  private constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    this.path = join(folder, `${name}.pem`);
  }

  static async create(folder: string, name = 'ca'): Promise<TestAuthority> {
    const authority = new TestAuthority(folder, name);
    await openssl(
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ['-keyout', authority.#keyPath, '-out', authority.path, '-subj', `/CN=${name}`],
      ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    );
    return authority;
  }

  /** A certificate for 127.0.0.1 and localhost, for servers and clients, valid for a day. */
  async issue(name: string): Promise<CertificatePair> {
    const file = (ending: string): string => join(this.#folder, `${name}.${ending}`);
    const extensions = 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n';
    await writeFile(file('ext'), extensions);
    await openssl(
      ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${name}`],
      ['-keyout', file('key'), '-out', file('csr')],
    );
    await openssl(
      ['x509', '-req', '-in', file('csr'), '-CA', this.path, '-CAkey', this.#keyPath, '-CAcreateserial'],
      ['-out', file('crt'), '-days', '1', '-extfile', file('ext')],
    );
    return { cert: file('crt'), key: file('key') };
  }

  get #keyPath(): string {
    return join(this.#folder, `${this.#name}.key`);
  }
}

async function openssl(...args: readonly (readonly string[])[]): Promise<void> {
  await run('openssl', args.flat());
}

export async function readPair({ cert, key }: CertificatePair): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readFile(cert), key: await readFile(key) };
}
