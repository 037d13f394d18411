import { MillraceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Settings } from '../config/settings.ts';

type ListenerKind = Settings['tlsListeners'][number];

/** Whether a kind of listener is encrypted. */
export function hasTls(settings: Settings, kind: ListenerKind): boolean {
  return settings.tlsCert !== undefined && settings.tlsListeners.includes(kind);
}

/**
 * Warns of ports that others than this machine can reach and that are not encrypted, or open to everybody.
 * @throws MillraceError CONFIG_INVALID instead where the settings are strict
 */
export function warnOfOpenDoors(settings: Settings, logger: Logger): void {
  const { grpcBindAddress, restBindAddress, metricsPort, tokenFile, tlsClientCa, strict } = settings;
  const { streamManagerPort, streamManagerBindAddress } = settings;
  const doors: readonly (readonly [ListenerKind, string])[] = [
    ['grpc', grpcBindAddress],
    ['rest', restBindAddress],
    ...(metricsPort === undefined ? [] : [['metrics', restBindAddress] as const]),
    ...(streamManagerPort === undefined ? [] : [['stream_manager', streamManagerBindAddress] as const]),
  ];
  const open = doors.filter(([, address]) => !isLoopback(address));
  const faults = new Map<string, Set<string>>();
  for (const [kind, address] of open) {
    const isEncrypted = hasTls(settings, kind);
    const isClosed = tokenFile !== undefined || (isEncrypted && tlsClientCa !== undefined);
    const fault = faultOf(isEncrypted, isClosed);
    if (fault === undefined) continue;
    const places = faults.get(fault) ?? new Set();
    faults.set(fault, places.add(`${address} (${kind})`));
  }
  for (const [fault, places] of faults) {
    const message = `listening on ${[...places].join(' and ')} ${fault}; docs/security.md has what to set, or put a proxy that has both in front`;
    if (strict) throw new MillraceError('CONFIG_INVALID', `${message}; refused because of --strict`);
    logger.warn({ addresses: [...places] }, message);
  }
}

function faultOf(isEncrypted: boolean, isClosed: boolean): string | undefined {
  if (isEncrypted && isClosed) return undefined;
  if (isEncrypted) return 'without token or client certificates: everyone who reaches it can use it';
  if (isClosed) return 'without TLS: tokens and data can be read on their way';
  return 'without TLS or token: everyone who reaches it can use it';
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.');
}
