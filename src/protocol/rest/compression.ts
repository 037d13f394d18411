import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';

export type Encoding = 'identity' | 'gzip' | 'deflate';

const compressors = { gzip: promisify(gzip), deflate: promisify(deflate) };

/**
 * The encoding of an infer reply: of identity, gzip and deflate the one with the highest q that the client lists, ties to
 * identity, then to the first listed. Others (`br`, `*`) are passed over: aiohttp lists `br` and tritonclient cannot read it.
 */
export function chooseEncoding(acceptEncoding: string | undefined): Encoding {
  let best: Encoding = 'identity';
  if (acceptEncoding === undefined || acceptEncoding === '') return best;
  let bestQuality = 0;
  for (const item of acceptEncoding.toLowerCase().split(',')) {
    const [name = '', ...attributes] = item.split(';').map((part) => part.trim());
    if (name !== 'identity' && name !== 'gzip' && name !== 'deflate') continue;
    const q = attributes.find((attribute) => attribute.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    if (quality > bestQuality || (quality === bestQuality && quality > 0 && name === 'identity')) {
      best = name;
      bestQuality = quality;
    }
  }
  return best;
}

/** Whether a client takes gzip, whatever it likes better. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return (acceptEncoding ?? '').split(',').some((item) => {
    const [name, ...attributes] = item.split(';').map((part) => part.trim().toLowerCase());
    return name === 'gzip' && !attributes.some((attribute) => /^q=0(\.0*)?$/.test(attribute));
  });
}

export function compress(body: Buffer, encoding: Exclude<Encoding, 'identity'>): Promise<Buffer> {
  return compressors[encoding](body);
}
