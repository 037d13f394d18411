import { expect, it, vi } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import type { SessionOutput } from '../ipc/host-handler.ts';
import { Lease } from './lease.ts';
import { LeasedSession } from './leased-session.ts';
import type { HostServable } from './servable.ts';

it('hands on how its session ended, and that the end comes after all responses', () => {
  let own: SessionOutput | undefined;
  const servable = {
    open(_: unknown, output: SessionOutput) {
      own = output;
      return {};
    },
    close: () => Promise.resolve(),
  } as unknown as HostServable;
  const end = vi.fn();
  const first = { servable: 'g', version: '', id: '', inputs: [], outputs: [] };
  expect(new LeasedSession(new Lease(servable, () => {}), first, { end } as unknown as SessionOutput)).toBe(own);
  const fault = new MillraceError('TIMESTAMP_NOT_INCREASING', 'not increasing');
  own?.end(fault, true);
  expect(end).toHaveBeenCalledExactlyOnceWith(fault, true);
});
