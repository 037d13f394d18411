import { expect, it } from 'vitest';
import { OneEuroFilter, VelocityFilter } from './filters.ts';
import { values } from './test-kit.ts';

const { size, side, times, values: given, oneEuro, velocity } = values.smoothing;
const [width, height] = size;

/** Of the coordinates, in pixels. */
const UNITS = [width, height, width];

it.each([
  ['one euro', () => new OneEuroFilter({ frequency: 30, minCutoff: 0.05, beta: 80, derivateCutoff: 1 }), oneEuro],
  ['velocity', () => new VelocityFilter({ windowSize: 5, velocityScale: 10 }), velocity],
])('%s: also times of 0, and one that comes twice', (_, make, expected) => {
  UNITS.forEach((unit, coordinate) => {
    const filter = make();
    times.forEach((time, at) => {
      const found = filter.apply(BigInt(time), (given[at]?.[coordinate] ?? NaN) * unit, 1 / side) / unit;
      expect(found).toBeCloseTo(expected[at]?.[coordinate] ?? NaN, 9);
    });
  });
});
