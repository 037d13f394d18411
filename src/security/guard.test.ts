import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { MillraceError } from '../base/errors.ts';
import { silentLogger, type Logger } from '../base/logger.ts';
import { createPrometheusMeter } from '../observability/meter.ts';
import type { Access } from './access.ts';
import { FailureLimit } from './failure-limit.ts';
import type { Grant } from './grant.ts';
import { challengeOf, Guard } from './guard.ts';
import { createToken } from './token.ts';
import type { TokenRecord } from './token-file.ts';

const INFER: Access = { needs: ['infer'], counts: 'request' };
const STREAM: Access = { needs: ['infer'], counts: 'session' };
const START = Date.parse('2030-01-01T00:00:00Z');

let now = START;
let lines: [object, string][] = [];
const logger: Logger = {
  ...silentLogger,
  warn: (fields, message) => void lines.push([fields, message]),
  info: (fields, message) => void lines.push([fields, message]),
};

interface Held {
  readonly text: string;
  readonly record: TokenRecord;
}

function aToken(name: string, changes: Partial<TokenRecord> = {}): Held {
  const { id, text, hash } = createToken();
  return { text, record: { name, id, hash, scopes: ['infer'], created: new Date(START).toISOString(), ...changes } };
}

beforeEach(() => {
  now = START;
  lines = [];
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

function guardOf(...held: readonly Held[]) {
  const meter = createPrometheusMeter();
  const guard = new Guard({ tokens: held.map(({ record }) => record), meter, logger, now: () => now });
  const ends: MillraceError[] = [];
  const enter = (access: Access, text: string | undefined, more: { servable?: string; address?: string } = {}): Grant =>
    guard.enter(
      access,
      {
        authorization: text === undefined ? undefined : `Bearer ${text}`,
        address: more.address ?? '10.0.0.7',
        call: '/x/Y',
        servable: more.servable,
      },
      (error) => ends.push(error),
    );
  return { guard, enter, ends, page: async () => (await meter.render()).body };
}

describe('tokens', () => {
  const a = aToken('a');

  test('the right one enters, others do not, and each fault has its challenge', () => {
    const { enter } = guardOf(a);
    expect(enter(INFER, a.text)).toBeDefined();
    const fault = (text: string | undefined): MillraceError => {
      try {
        enter(INFER, text);
      } catch (error) {
        return error as MillraceError;
      }
      throw new Error('a refusal expected');
    };
    const wrong = `${a.text.slice(0, -1)}${a.text.endsWith('A') ? 'B' : 'A'}`;
    for (const text of [wrong, aToken('b').text, 'abc', `${a.text}x`, '']) {
      const error = fault(text);
      expect([error.code, challengeOf(error)]).toEqual([
        'UNAUTHENTICATED',
        'Bearer realm="millrace", error="invalid_token"',
      ]);
      expect(error.message).not.toContain(a.record.id);
    }
    expect(challengeOf(fault(undefined))).toBe('Bearer realm="millrace"');
  });

  test('scopes: admin has all, others what they say', () => {
    const admin = aToken('root', { scopes: ['admin'] });
    const { enter } = guardOf(a, admin);
    const manage: Access = { needs: ['manage'] };
    expect(enter(manage, admin.text)).toBeDefined();
    expect(() => enter(manage, a.text)).toThrow(
      expect.objectContaining({
        code: 'PERMISSION_DENIED',
        message: 'token "a" has scope infer; manage is needed',
        details: { error: 'insufficient_scope', scope: 'manage' },
      }) as Error,
    );
    expect(enter({ needs: 'any' }, a.text)).toBeDefined();
    expect(enter({ needs: 'open' }, undefined)).toBeDefined();
    expect(lines).toEqual([[{ tokenName: 'root', address: '10.0.0.7', call: '/x/Y' }, 'called by a manager']]);
  });

  test('servables: names and patterns, the rest is refused whether it is there or not', () => {
    const limited = aToken('l', { servables: ['one', 'cam-*', 'a.b'] });
    const { enter } = guardOf(limited);
    const grant = enter(INFER, limited.text);
    expect(['one', 'cam-', 'cam-7', 'a.b'].map((name) => grant.allows(name))).toEqual([true, true, true, true]);
    expect(['two', 'one2', 'acam-1', 'axb', ''].map((name) => grant.allows(name))).toEqual(Array(5).fill(false));
    expect(() => grant.check('two')).toThrow('token "l" may not use servable "two"');
    expect(() => enter(INFER, limited.text, { servable: 'two' })).toThrow(/may not use/);
    expect(() => enter({ needs: ['infer'], concernsAll: true }, limited.text)).toThrow(/concerns all/);
    expect([grant.names, enter({ ...INFER, names: 'inference' }, limited.text).names]).toEqual([
      undefined,
      'inference',
    ]);
  });

  test('limits: requests and sessions at once, given back when calls end', () => {
    const limited = aToken('l', { max_requests_in_flight: 2, max_sessions: 1 });
    const { enter } = guardOf(limited);
    const first = enter(INFER, limited.text);
    enter(INFER, limited.text);
    expect(() => enter(INFER, limited.text)).toThrow(
      expect.objectContaining({ reason: 'LIMIT_REACHED', details: { limit: 2 } }) as Error,
    );
    first[Symbol.dispose]();
    first[Symbol.dispose](); // counts once
    const session = enter(STREAM, limited.text);
    expect(() => enter(STREAM, limited.text)).toThrow(/max_sessions is 1/);
    const leave = session.enterRequest();
    expect(() => session.enterRequest()).toThrow(/max_requests_in_flight is 2/);
    leave();
    session.enterRequest();
  });

  test('metrics by name; those of a token that is gone go too', async () => {
    const limited = aToken('l', { max_sessions: 1 });
    const { guard, enter, page } = guardOf(limited);
    enter(STREAM, limited.text);
    expect(() => enter(STREAM, limited.text)).toThrow();
    expect(() => enter({ needs: ['manage'] }, limited.text)).toThrow();
    expect(() => enter(INFER, undefined)).toThrow();
    const before = await page();
    expect(before).toContain('millrace_token_requests{token="l"} 1');
    expect(before).toContain('millrace_token_refused{token="l",reason="sessions"} 1');
    expect(before).toContain('millrace_token_refused{token="l",reason="scope"} 1');
    expect(before).toContain('millrace_auth_failures{reason="missing"} 1');
    guard.replace([]);
    expect(await page()).not.toContain('token="l"');
  });
});

describe('the end of a token', () => {
  test('revoked: its calls end, those of others and of unchanged tokens go on', () => {
    const [a, b] = [aToken('a'), aToken('b')];
    const { guard, enter, ends } = guardOf(a, b);
    enter(STREAM, a.text);
    enter(STREAM, b.text);
    guard.replace([b.record]);
    expect(ends.map(({ code, message }) => [code, message])).toEqual([['UNAUTHENTICATED', 'the token was revoked']]);
    expect(() => enter(STREAM, a.text)).toThrow('the token is not valid');
    guard.replace([{ ...b.record, scopes: ['metrics'] }]);
    expect(ends.at(-1)?.message).toBe('the token was changed');
  });

  test('expired: calls under way end within a second, new ones do not begin', () => {
    const a = aToken('a', { expires: new Date(START + 10_000).toISOString() });
    const { guard, enter, ends } = guardOf(a);
    using _ = guard;
    enter(STREAM, a.text);
    const over = enter(STREAM, a.text);
    over[Symbol.dispose]();
    now += 9_900;
    vi.advanceTimersByTime(9_900);
    expect(ends).toEqual([]);
    now += 1100;
    vi.advanceTimersByTime(1100);
    expect(ends.map(({ message }) => message)).toEqual(['token "a" has expired']);
    expect(() => enter(STREAM, a.text)).toThrow('token "a" has expired');
  });
});

describe('failures', () => {
  const a = aToken('a');

  test('of one source: after 20 at once one a second, told to wait; a right token still enters', () => {
    const { enter } = guardOf(a);
    const code = (address?: string): string => {
      try {
        enter(INFER, 'wrong', address === undefined ? {} : { address });
        return 'OK';
      } catch (error) {
        return (error as MillraceError).code;
      }
    };
    expect(Array.from({ length: 22 }, () => code())).toEqual([
      ...(Array(20).fill('UNAUTHENTICATED') as string[]),
      'RESOURCE_EXHAUSTED',
      'RESOURCE_EXHAUSTED',
    ]);
    expect(code('10.0.0.8')).toBe('UNAUTHENTICATED');
    expect(enter(INFER, a.text)).toBeDefined();
    now += 1000;
    expect([code(), code()]).toEqual(['UNAUTHENTICATED', 'RESOURCE_EXHAUSTED']);
  });

  test('are logged once per source and minute, without the token', () => {
    const { enter } = guardOf(a);
    for (let i = 0; i < 5; i++) expect(() => enter(INFER, `${a.text}x`)).toThrow();
    now += 60_000;
    expect(() => enter(INFER, undefined)).toThrow();
    expect(lines).toEqual([
      [{ address: '10.0.0.7', call: '/x/Y', reason: 'malformed', failuresBefore: 0 }, 'a call was not authenticated'],
      [{ address: '10.0.0.7', call: '/x/Y', reason: 'missing', failuresBefore: 4 }, 'a call was not authenticated'],
    ]);
  });

  test('take bounded memory and a bounded number of lines', () => {
    const limit = new FailureLimit(() => now);
    let told = 0;
    for (let i = 0; i < 30_000; i++) {
      if (limit.failed(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`).untold !== undefined) told++;
    }
    expect([limit.size, told]).toEqual([10_000, 60]);
  });

  test('of IPv6 count by network of 64 bits, of mapped IPv4 by address', () => {
    const limit = new FailureLimit(() => now);
    const addresses = [
      '2001:db8::1',
      '2001:db8:0:0:1::2',
      '2001:0db8::ffff',
      '::ffff:10.0.0.1',
      '10.0.0.1',
      'fe80::1%eth0',
    ];
    for (const address of addresses) limit.failed(address);
    expect(limit.size).toBe(3);
  });
});
