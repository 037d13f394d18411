import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ConnectionOptions, TlsOptions } from '../../../src/client/index.ts';
import { readPair, TestAuthority, type CertificatePair } from '../../support/certificates.ts';
import { freePorts } from '../../support/free-port.ts';
import { ROOT } from '../../support/paths.ts';
import { ScratchFolder } from '../../support/scratch-folder.ts';
import { startServer, type TestServer } from '../../support/start-server.ts';

const run = promisify(execFile);

/** A server with TLS and tokens on every port, as a user would set it up. */
export interface SecuredServer extends AsyncDisposable {
  readonly server: TestServer;
  readonly folder: ScratchFolder;
  readonly authority: TestAuthority;
  /** The server's own files, which it looks at. */
  readonly files: CertificatePair;
  readonly tokenFile: string;
  /** PEM of the authority. */
  readonly ca: Buffer;
  /** gRPC in MLServer's dialect. */
  readonly mlserverAddress: string;
  readonly metricsUrl: string;
  /** Makes a token with the command. @returns its text */
  token(name: string, scope: string, ...flags: readonly string[]): Promise<string>;
  revoke(name: string): Promise<void>;
  /** For a client of ours. */
  with(token: string | undefined, tls?: TlsOptions): ConnectionOptions;
}

/** Runs `millrace token …`. */
async function tokenCommand(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['bin/millrace.js', 'token', ...args], { cwd: ROOT });
  return stdout.trim();
}

type TokenFlags = readonly [scope: string, ...flags: string[]];

export interface SecuredOptions {
  /** Clients must show a certificate. */
  readonly mutual?: boolean;
  /** Names, scopes and more flags of tokens that are there from the start. */
  readonly tokens?: Readonly<Record<string, TokenFlags>>;
  readonly flags?: readonly string[];
  /** Served in place of what the server ships. */
  readonly config?: object;
  /** Writes an MLServer folder, which is served in place of what the server ships. */
  readonly writeFolder?: (folder: ScratchFolder) => Promise<string>;
}

/** With the texts of its tokens by name; "root" may do everything. */
export interface StartedSecured extends SecuredServer {
  readonly tokens: ReadonlyMap<string, string>;
}

export async function startSecured(options: SecuredOptions = {}): Promise<StartedSecured> {
  const folder = await ScratchFolder.create();
  try {
    const authority = await TestAuthority.create(folder.path);
    const files = await authority.issue('server');
    const tokenFile = join(folder.path, 'tokens.json');
    const token: SecuredServer['token'] = (name, scope, ...flags) =>
      tokenCommand('create', '--name', name, '--scope', scope, '--file', tokenFile, ...flags);
    const tokens = new Map<string, string>();
    for (const [name, [scope, ...flags]] of Object.entries<TokenFlags>({ root: ['admin'], ...options.tokens })) {
      tokens.set(name, await token(name, scope, ...flags));
    }
    const ca = await readFile(authority.path);
    const own = options.mutual === true ? await readPair(await authority.issue('probe')) : {};
    const [mlserverPort = 0, metricsPort = 0] = await freePorts(2);
    const server = await startServer({
      folder: await options.writeFolder?.(folder),
      config: options.config,
      flags: [
        ...['--tls_cert', files.cert, '--tls_key', files.key, '--token_file', tokenFile],
        ...(options.mutual === true ? ['--tls_client_ca', authority.path] : []),
        ...['--mlserver_port', String(mlserverPort), '--metrics_port', String(metricsPort)],
        ...['--hosts', '1', '--log_level', 'debug', '--file_system_poll_wait_seconds', '0.1'],
        ...(options.flags ?? []),
      ],
      tls: { ca, ...own },
    });
    return {
      server,
      folder,
      authority,
      files,
      tokenFile,
      tokens,
      ca,
      mlserverAddress: `127.0.0.1:${mlserverPort}`,
      metricsUrl: `https://127.0.0.1:${metricsPort}/metrics`,
      token,
      revoke: async (name) => void (await tokenCommand('revoke', name, '--file', tokenFile)),
      with: (text, tls = {}) => ({ tls: { ca, ...tls }, token: text }),
      [Symbol.asyncDispose]: async () => {
        await server.stop();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
