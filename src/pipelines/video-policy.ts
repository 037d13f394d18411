import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { MillraceError } from '../base/errors.ts';
import { hideInAddress, hideKeys } from '../media/ffmpeg/redact.ts';
import { referencesOf, type PipelineRequest, type SinkSpec } from './common/pipeline-schema.ts';
import type { PipelinesConfig } from './pipelines-config.ts';

type Allow = PipelinesConfig['allow'];

// oxlint-disable-next-line no-control-regex
const UNCLEAR = /[\\\s\u0000-\u001f\u007f]/;
/** Of more slashes the URL standard makes two; ffmpeg takes the host to be this one. */
const HAS_HOST = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]/i;

/** What pipelines may open, and where they may write. Device names and text for other media programs are never let through. */
export class VideoPolicy {
  readonly #allow: Allow;
  /** That relative folders of the configuration start from. */
  readonly #base: string;

  constructor(allow: Allow, base: string) {
    this.#allow = allow;
    this.#base = base;
  }

  /** Not every host is allowed. */
  get isConfining(): boolean {
    return !this.#allow.hosts.includes('*');
  }

  /** @throws MillraceError VIDEO_REFUSED, naming the reference without its credentials, and what is allowed */
  check(pipeline: PipelineRequest): void {
    for (const reference of referencesOf(pipeline)) this.#checkReference(reference);
    for (const sink of pipeline.sinks) this.#checkSink(sink);
  }

  #checkReference(reference: string): void {
    const { schemes, hosts, folders } = this.#allow;
    const label = hideInAddress(reference);
    const scheme = schemeOf(reference);
    if (!schemes.includes(scheme)) {
      throw refused('video_reference', label, `scheme ${scheme}; ${schemes.join(', ') || 'none'} allowed`);
    }
    if (scheme === 'camera' || scheme === 'lavfi') return;
    if (scheme === 'file') {
      const path = resolve(reference.replace(/^file:(?:\/\/(?=\/))?/i, ''));
      if (path.startsWith('/dev/') || path.startsWith('/proc/') || !isInside(path, this.#folders(folders))) {
        throw refused('video_reference', label, `not in the folders that are allowed: ${folders.join(', ') || 'none'}`);
      }
      return;
    }
    this.#checkHost('video_reference', reference, hosts);
  }

  #checkSink(sink: SinkSpec): void {
    const { sink_hosts: hosts, sink_folders: folders } = this.#allow;
    switch (sink.type) {
      case 'memory':
        return;
      case 'udp':
        if (!matches(sink.host, hosts)) throw refused('sink udp', sink.host, `hosts ${hosts.join(', ')} allowed`);
        return;
      case 'rtsp':
        if (!/^rtsps?:\/\//i.test(sink.target))
          throw refused('sink rtsp', hideInAddress(sink.target), 'rtsp:// expected');
        return this.#checkHost('sink rtsp', sink.target, hosts);
      case 'json_lines':
      case 'video_file': {
        const path = resolve('path' in sink ? sink.path : sink.target);
        if (isInside(path, this.#folders(folders))) return;
        const allowed =
          folders.length === 0
            ? 'no files are written unless pipelines.allow.sink_folders says where'
            : `not in the folders that are allowed: ${folders.join(', ')}`;
        throw refused(`sink ${sink.type}`, path, allowed);
      }
      case 'webhook':
      case 'mqtt':
      case 'websocket':
        return this.#checkHost(`sink ${sink.type}`, sink.url, hosts);
    }
  }

  #checkHost(field: string, url: string, hosts: readonly string[]): void {
    // ffmpeg and other programs read these in their own ways, which lead elsewhere than to the host that is looked at here.
    if (UNCLEAR.test(url)) {
      throw refused(
        field,
        hideKeys(url),
        'it has a backslash, a space or a control character; write it as %5C, %20, …',
      );
    }
    if (!HAS_HOST.test(url)) throw refused(field, hideKeys(url), 'scheme://host expected');
    let host: string;
    try {
      // Schemes that the URL standard does not know have opaque hosts: lower case is ours to see to.
      host = new URL(url).hostname.toLowerCase().replace(/^\[|\]$/g, '');
    } catch {
      throw refused(field, hideKeys(url), 'not a URL');
    }
    if (!matches(host, hosts)) throw refused(field, hideKeys(url), `hosts ${hosts.join(', ') || 'none'} allowed`);
  }

  #folders(folders: readonly string[]): string[] {
    return folders.map((folder) => resolve(this.#base, folder));
  }
}

function schemeOf(reference: string): string {
  if (/^\d+$/.test(reference) || /^\/dev\/video\d+$/.test(reference)) return 'camera';
  // ffmpeg has protocols without slashes, such as concat: and subfile,,…:
  const [, scheme] = /^([a-z][a-z0-9+.-]*(?:,[^:/]*)?):/i.exec(reference) ?? [];
  return scheme === undefined ? 'file' : (scheme.toLowerCase().split(',')[0] as string);
}

function matches(host: string, patterns: readonly string[]): boolean {
  const name = host.toLowerCase();
  return patterns.some((given) => {
    const pattern = given.toLowerCase();
    if (pattern === '*') return true;
    return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
  });
}

/** Links are followed: what counts is where a file is. */
function isInside(path: string, folders: readonly string[]): boolean {
  const real = realPath(path);
  return folders.some((folder) => {
    const root = realPath(folder);
    return root === sep || real === root || real.startsWith(`${root}${sep}`);
  });
}

/** Of a path that need not exist: its nearest folder that does, links followed. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

function refused(field: string, what: string, why: string): MillraceError {
  return new MillraceError(
    'VIDEO_REFUSED',
    `${field} "${what}" is refused: ${why} (pipelines.allow in the configuration)`,
    {
      details: { field },
    },
  );
}
