import { readFileSync } from 'node:fs';
import { runCalculator, type CalculatorCase, type CalculatorDefinition } from '../../graph/index.ts';
import { expect } from 'vitest';
import type { Size } from '../../media/test-kit.ts';
import type { Landmark, Rect } from '../message-types.ts';

type Numbers = readonly number[];

/** What is made of the picture of `pattern`, of this size. */
interface Picture {
  readonly size: Size;
  readonly out: readonly [width: number, height: number];
  readonly pixels: string;
}

/** What `test/fixtures/make/vision.py` has computed. */
export interface VisionValues {
  readonly detections: {
    readonly boxes: Numbers;
    readonly logits: Numbers;
    readonly found: readonly Numbers[];
    readonly plain: readonly Numbers[];
    readonly weighted: readonly Numbers[];
  };
  readonly rects: {
    readonly size: readonly [number, number];
    readonly points: readonly (readonly [number, number])[];
    readonly bounding: Numbers;
    readonly alignment: Numbers;
    readonly hand: Numbers;
    readonly base: Numbers;
    readonly transformed: Numbers;
    readonly stretched: Numbers;
  };
  readonly handRect: {
    readonly size: readonly [number, number];
    readonly points: readonly (readonly [number, number])[];
    readonly rect: Numbers;
  };
  readonly landmarks: {
    readonly points: readonly Numbers[];
    readonly padding: Numbers;
    readonly rect: Numbers;
    readonly unpadded: readonly Numbers[];
    readonly projected: readonly Numbers[];
    readonly world: readonly Numbers[];
  };
  readonly heatmap: {
    readonly points: readonly (readonly [number, number])[];
    readonly map: Numbers;
    readonly refined: readonly Numbers[];
  };
  readonly smoothing: {
    readonly size: readonly [number, number];
    readonly side: number;
    readonly times: Numbers;
    readonly values: readonly Numbers[];
    readonly oneEuro: readonly Numbers[];
    readonly velocity: readonly Numbers[];
  };
  readonly croppings: readonly (Picture & {
    readonly rect: Numbers;
    /** In shares of the picture, else in pixels. */
    readonly normalized: boolean;
    readonly replicate: boolean;
  })[];
  readonly transformations: readonly (Picture & { readonly options: Readonly<Record<string, never>> })[];
}

export const values = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/vision.json', import.meta.url), 'utf8'),
) as VisionValues;

/** What came on one output of a node. For tests. */
export async function outputOf(
  definition: CalculatorDefinition,
  port: string,
  run: CalculatorCase,
): Promise<unknown[]> {
  const { outputs } = await runCalculator(definition, { ...run, outputs: [port] });
  return (outputs[port] ?? []).map(({ value }) => value);
}

export const pointsOf = (rows: readonly Numbers[]): Landmark[] => rows.map(([x = 0, y = 0, z = 0]) => ({ x, y, z }));

export const rowsOf = (points: unknown): number[][] => (points as readonly Landmark[]).map(({ x, y, z }) => [x, y, z]);

export const rectOf = ([xCenter = 0, yCenter = 0, width = 0, height = 0, rotation = 0]: Numbers): Rect => ({
  xCenter,
  yCenter,
  width,
  height,
  rotation,
});

/** Every number within 1e-9, however nested. */
export function expectClose(found: unknown, expected: unknown): void {
  const flat = (value: unknown): number[] => [value].flat(9).map(Number);
  expect(flat(found)).toHaveLength(flat(expected).length);
  flat(found).forEach((value, at) => expect(value).toBeCloseTo(flat(expected)[at] ?? NaN, 9));
}

export const numbersOf = ({ xCenter, yCenter, width, height, rotation = 0 }: Rect): number[] => [
  xCenter,
  yCenter,
  width,
  height,
  rotation,
];
