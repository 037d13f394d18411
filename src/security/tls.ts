import type { SecureContextOptions } from 'node:tls';
import { readTlsFiles, secureContextOptions, type TlsFiles, type TlsMaterial } from './tls-files.ts';

/** A TLS server of Node's, of HTTP/1 or HTTP/2. */
export interface SecureServer {
  setSecureContext(options: SecureContextOptions): void;
}

/** How long a client may take for its handshake. */
const HANDSHAKE_MS = 20_000;

/** The certificates in use, for every listener; new ones are for new connections, open ones go on. */
export class Tls {
  readonly #files: TlsFiles;
  readonly #servers = new Set<SecureServer>();
  #material: TlsMaterial;

  private constructor(files: TlsFiles, material: TlsMaterial) {
    this.#files = files;
    this.#material = material;
  }

  /** @throws MillraceError CONFIG_INVALID where the files cannot be used */
  static async open(files: TlsFiles): Promise<Tls> {
    return new Tls(files, await readTlsFiles(files, Date.now()));
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Paths, for a watcher. */
  get files(): readonly string[] {
    const { cert, key, clientCa } = this.#files;
    return clientCa === undefined ? [cert, key] : [cert, key, clientCa];
  }

  /** Clients must show a certificate. */
  get asksClients(): boolean {
    return this.#files.clientCa !== undefined;
  }

  /** For `createServer` of `https` and `http2`. */
  get serverOptions() {
    return {
      ...secureContextOptions(this.#material),
      requestCert: this.asksClients,
      rejectUnauthorized: this.asksClients,
      handshakeTimeout: HANDSHAKE_MS,
    };
  }

  /** Gives the server these certificates now and all later ones until it is taken back. */
  serve(server: SecureServer): () => void {
    server.setSecureContext(secureContextOptions(this.#material));
    this.#servers.add(server);
    return () => this.#servers.delete(server);
  }

  /**
   * Reads the files again.
   * @throws MillraceError CONFIG_INVALID where they cannot be used; what was in use stays so
   */
  async reload(): Promise<void> {
    this.#material = await readTlsFiles(this.#files, Date.now());
    for (const server of this.#servers) server.setSecureContext(secureContextOptions(this.#material));
  }
}
