import { expectTypeOf, it } from 'vitest';
import type { HostSpec } from '../../src/host/host-spec.ts';
import type { ServableSpec } from '../../src/serving/servable-spec.ts';

it('whatever the front sends to be loaded is what a host takes (checked by the compiler)', () => {
  expectTypeOf<ServableSpec>().toExtend<HostSpec>();
});
