import type { Image } from '../../src/media/image.ts';

/** Side of the squares that are compared, in pixels: what is moved by a pixel is hardly seen, what is missing is. */
const BLOCK = 8;

/**
 * How different two pictures look: of the squares that differ most, one in 200, the least difference (CIE76 ΔE) of their mean
 * colours. Compression is below 3; lines that are missing above 10.
 * @param a RGB, of the size of `b`
 */
export function pictureDistance(a: Image, b: Image): number {
  if (a.width !== b.width || a.height !== b.height) return Infinity;
  const [left, right] = [blockColours(a), blockColours(b)];
  const differences = left.map((colour, at) => deltaE(colour, right[at] ?? [NaN, NaN, NaN])).toSorted((x, y) => y - x);
  return differences[Math.floor(differences.length / 200)] ?? NaN;
}

type Colour = readonly [number, number, number];

/** Mean colours in CIELAB, by rows; what is left over at the right and below is not looked at. */
function blockColours({ width, height, channels, data }: Image): Colour[] {
  const colours: Colour[] = [];
  for (let top = 0; top + BLOCK <= height; top += BLOCK) {
    for (let left = 0; left + BLOCK <= width; left += BLOCK) {
      const sum: [number, number, number] = [0, 0, 0];
      for (let at = 0; at < BLOCK * BLOCK; at++) {
        const x = left + (at % BLOCK);
        const y = top + Math.floor(at / BLOCK);
        for (const channel of [0, 1, 2] as const) sum[channel] += data[(y * width + x) * channels + channel] ?? NaN;
      }
      colours.push(toLab(sum.map((value) => value / BLOCK ** 2 / 255) as [number, number, number]));
    }
  }
  return colours;
}

/** CIELAB (D65) of sRGB 0–1. */
function toLab(rgb: Colour): Colour {
  const [r, g, b] = rgb.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)) as unknown as Colour; // prettier-ignore
  const bent = (value: number): number => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116);
  const x = bent((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = bent(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = bent((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const deltaE = (a: Colour, b: Colour): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
