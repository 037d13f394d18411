import type { Closer } from '../base/closer.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Gauge, Meter } from '../base/meter.ts';
import type { Settings } from '../config/settings.ts';
import { Guard } from '../security/guard.ts';
import { Tls } from '../security/tls.ts';
import { readTokenFile } from '../security/token-file.ts';
import { watchFiles } from './watcher.ts';

/** How often certificates and tokens are looked at where the setting says never: a token must be revocable. */
const DEFAULT_POLL_MS = 1000;
/** A certificate that ends sooner is warned of. */
const SOON_MS = 14 * 86_400_000;

export interface Security {
  readonly tls: Tls | undefined;
  readonly guard: Guard | undefined;
}

/**
 * Reads certificates and tokens, and again when their files change; `opened` ends that. Files that became unusable change
 * nothing: what was in use stays so, and the log says why.
 * @throws MillraceError CONFIG_INVALID where they cannot be used from the start
 */
export async function openSecurity(
  settings: Settings,
  meter: Meter,
  logger: Logger,
  opened: Closer,
): Promise<Security> {
  const readAtMs = Date.now();
  const pollMs = settings.fileSystemPollWaitSeconds * 1000 || DEFAULT_POLL_MS;
  const watch = (files: readonly string[], what: string, reload: () => Promise<void>): void => {
    const onChange = async (): Promise<void> => {
      try {
        await reload();
      } catch (error) {
        logger.error({ reason: messageOf(error) }, `${what} not read again; those before stay in use`);
      }
    };
    const watcher = watchFiles(() => files, readAtMs, pollMs, onChange);
    opened.defer(() => watcher[Symbol.dispose]());
  };
  const tls = await openTls(settings, meter, logger, watch);
  const { tokenFile } = settings;
  if (tokenFile === undefined) return { tls, guard: undefined };
  const guard = new Guard({ tokens: await readTokenFile(tokenFile), meter, logger });
  opened.defer(() => guard[Symbol.dispose]());
  watch([tokenFile], 'tokens', async () => {
    const tokens = await readTokenFile(tokenFile);
    guard.replace(tokens);
    logger.info({ tokens: tokens.length }, 'tokens read again');
  });
  return { tls, guard };
}

type Watch = (files: readonly string[], what: string, reload: () => Promise<void>) => void;

async function openTls(settings: Settings, meter: Meter, logger: Logger, watch: Watch): Promise<Tls | undefined> {
  const { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa } = settings;
  if (cert === undefined || key === undefined) return undefined;
  const tls = await Tls.open({ cert, key, clientCa });
  const expiry = meter
    .gauge(
      'millrace_tls_certificate_expiry_seconds',
      "When the server's certificate ends; seconds since the epoch.",
      [],
    )
    .with({});
  tell(tls, expiry, logger, 'TLS certificate read');
  watch(tls.files, 'TLS certificate', async () => {
    await tls.reload();
    tell(tls, expiry, logger, 'TLS certificate read again, for new connections');
  });
  return tls;
}

function tell({ material }: Tls, expiry: Gauge, logger: Logger, message: string): void {
  const { expiresAtMs, fingerprint } = material;
  expiry.set(expiresAtMs / 1000);
  const expires = new Date(expiresAtMs).toISOString();
  if (expiresAtMs - Date.now() < SOON_MS) logger.warn({ expires, fingerprint }, `${message}; it ends soon`);
  else logger.info({ expires, fingerprint }, message);
}
