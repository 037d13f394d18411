import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const FORM = /^millrace_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

/** The two parts of a token: one to find it by, which anybody may see, and 256 random bits. */
export interface TokenParts {
  /** 12 hexadecimal digits. */
  readonly id: string;
  /** 32 bytes in base64url. */
  readonly secret: string;
}

export interface NewToken {
  readonly id: string;
  /** `millrace_<id>_<secret>`: for its bearer, never stored. */
  readonly text: string;
  readonly hash: string;
}

export function createToken(): NewToken {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { id, text: `millrace_${id}_${secret}`, hash: hashOf(secret) };
}

/** Undefined for what is no token of ours. */
export function parseToken(text: string): TokenParts | undefined {
  const [, id, secret] = FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/**
 * `sha256:<hex>`. A slow hash (scrypt) is for secrets that people choose: nobody can try 2^256 of these, and each call of a
 * client would cost tens of milliseconds.
 */
export function hashOf(secret: string): string {
  return `sha256:${createHash('sha256').update(secret).digest('hex')}`;
}

/** In a time that says nothing of where the two differ. */
export function hasHash(secret: string, hash: string): boolean {
  const actual = Buffer.from(hashOf(secret));
  const expected = Buffer.from(hash);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** The token of `Authorization: Bearer …`; undefined for any other header. */
export function bearerToken(authorization: string): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization.slice(0, 1024))?.[1];
}
