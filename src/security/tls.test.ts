import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestAuthority, type CertificatePair } from '../../test/support/certificates.ts';
import { ScratchFolder } from '../../test/support/scratch-folder.ts';
import { Tls } from './tls.ts';
import { readTlsFiles } from './tls-files.ts';

let folder: ScratchFolder;
let authority: TestAuthority;
let first: CertificatePair;
let second: CertificatePair;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  authority = await TestAuthority.create(folder.path);
  [first, second] = [await authority.issue('first'), await authority.issue('second')];
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

const DAY_MS = 86_400_000;

describe('files that cannot be used are refused, with the file and why', () => {
  const read = (changes: { cert?: string; key?: string; clientCa?: string }, now = Date.now()): Promise<unknown> =>
    readTlsFiles({ ...first, clientCa: undefined, ...changes }, now);
  const refusal = (message: RegExp): unknown =>
    expect.objectContaining({ reason: 'CONFIG_INVALID', message: expect.stringMatching(message) as string });

  test('good ones are not', async () => {
    expect(await read({ clientCa: authority.path })).toMatchObject({
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  test('missing', async () => {
    const cert = join(folder.path, 'nothing.crt');
    await expect(read({ cert })).rejects.toEqual(
      refusal(/^tls_cert: .*nothing\.crt: cannot be read: it does not exist$/),
    );
    await expect(read({ key: folder.path })).rejects.toEqual(refusal(/^tls_key: .*it is a folder, a file expected$/));
    await expect(read({ clientCa: cert })).rejects.toEqual(refusal(/^tls_client_ca: .*it does not exist$/));
  });

  test('of another pair', async () => {
    await expect(read({ key: second.key })).rejects.toEqual(
      refusal(/^tls_key: .*second\.key: it does not belong to the certificate in .*first\.crt$/),
    );
  });

  test('out of date, or not yet valid', async () => {
    await expect(read({}, Date.now() + 1.5 * DAY_MS)).rejects.toEqual(refusal(/^tls_cert: .*CN=first expired on /));
    await expect(read({}, Date.now() - DAY_MS)).rejects.toEqual(refusal(/^tls_cert: .*CN=first is not valid before /));
  });

  test('something else', async () => {
    await expect(read({ cert: first.key })).rejects.toEqual(refusal(/no certificate in it; PEM/));
    await expect(read({ key: first.cert })).rejects.toEqual(refusal(/no private key in it; PEM/));
    const damaged = await folder.put(
      'damaged.crt',
      (await readFile(first.cert, 'utf8')).replace(/[A-Za-z]{40}/, 'A'.repeat(40)),
    );
    await expect(read({ cert: damaged })).rejects.toEqual(refusal(/tls_cert: .*damaged\.crt: /));
    const locked = await folder.put(
      'locked.key',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END ENCRYPTED PRIVATE KEY-----\n',
    );
    await expect(read({ key: locked })).rejects.toEqual(refusal(/it has a passphrase/));
  });
});

describe('a server with changing certificates', () => {
  interface Served extends AsyncDisposable {
    readonly tls: Tls;
    readonly server: Server;
    readonly files: CertificatePair;
    connect(options?: object): Promise<TLSSocket>;
  }

  async function serve(clientCa?: string): Promise<Served> {
    const files = { cert: join(folder.path, 'live.crt'), key: join(folder.path, 'live.key') };
    await put(first, files);
    const tls = await Tls.open({ ...files, clientCa });
    const server = createServer(tls.serverOptions, (_, reply) => reply.end('hello'));
    const forget = tls.serve(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const ca = await readFile(authority.path);
    const open = new Set<TLSSocket>();
    return {
      tls,
      server,
      files,
      connect: async (options = {}) => {
        const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ca, ...options });
        open.add(socket);
        await once(socket, 'secureConnect');
        return socket;
      },
      [Symbol.asyncDispose]: async () => {
        forget();
        for (const socket of open) socket.destroy();
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
      },
    };
  }

  async function put(from: CertificatePair, to: CertificatePair): Promise<void> {
    await Promise.all([copyFile(from.cert, to.cert), copyFile(from.key, to.key)]);
  }

  const nameOf = (socket: TLSSocket): unknown => socket.getPeerCertificate().subject.CN;

  async function answerOf(socket: TLSSocket): Promise<string> {
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.toString();
  }

  test('new connections get the new one, open ones go on', async () => {
    await using served = await serve();
    const before = await served.connect();
    expect(nameOf(before)).toBe('first');
    expect(await answerOf(before)).toContain('hello');
    await put(second, served.files);
    await served.tls.reload();
    expect(nameOf(await served.connect())).toBe('second');
    expect(await answerOf(before)).toContain('hello');
  });

  test('what cannot be used changes nothing', async () => {
    await using served = await serve();
    await writeFile(served.files.cert, 'rubbish');
    await expect(served.tls.reload()).rejects.toMatchObject({ reason: 'CONFIG_INVALID' });
    expect(nameOf(await served.connect())).toBe('first');
  });

  test('not below TLS 1.2', async () => {
    await using served = await serve();
    for (const version of ['TLSv1', 'TLSv1.1']) {
      const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
      await expect(served.connect(options)).rejects.toThrow();
    }
    expect((await served.connect({ maxVersion: 'TLSv1.2' })).getProtocol()).toBe('TLSv1.2');
  });

  test('clients of another authority, or without a certificate, are refused; also after a change of authorities', async () => {
    const clientCa = join(folder.path, 'clients.pem');
    await copyFile(authority.path, clientCa);
    await using served = await serve(clientCa);
    const ours = { cert: await readFile(second.cert), key: await readFile(second.key) };
    const other = await TestAuthority.create(folder.path, 'other');
    const stranger = await other.issue('stranger');
    const theirs = { cert: await readFile(stranger.cert), key: await readFile(stranger.key) };
    // With TLS 1.3 a client would learn of the refusal after its handshake.
    const answer = async (pair: object): Promise<string> =>
      answerOf(await served.connect({ ...pair, maxVersion: 'TLSv1.2' }));
    expect(await answer(ours)).toContain('hello');
    await expect(answer(theirs)).rejects.toThrow();
    await expect(answer({})).rejects.toThrow();
    await copyFile(other.path, clientCa);
    await served.tls.reload();
    expect(await answer(theirs)).toContain('hello');
    await expect(answer(ours)).rejects.toThrow();
  });
});
