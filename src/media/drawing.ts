import { FONT, GLYPH_HEIGHT, GLYPH_WIDTH } from './font.ts';

/** Red, green, blue, 0–255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** A picture that is drawn on, in place: 8 bits for each of 1, 3 or 4 channels. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** Pixels x0…x1 of a row, both included; what is outside the canvas is left out. */
function span(canvas: Canvas, y: number, x0: number, x1: number, [red, green, blue]: Colour): void {
  const { width, height, channels, data } = canvas;
  if (y < 0 || y >= height) return;
  const [from, to] = [Math.max(x0, 0), Math.min(x1, width - 1)];
  let at = (y * width + from) * channels;
  if (channels === 1) {
    const grey = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    for (let x = from; x <= to; x++) data[at++] = grey;
    return;
  }
  for (let x = from; x <= to; x++, at += channels) {
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
  }
}

/** Half the width of a disc of this radius at each row from its centre, as OpenCV's filled circles have it. */
function halfWidths(radius: number): Int32Array {
  const rows = new Int32Array(radius + 1);
  let [dx, dy] = [radius, 0];
  let [error, plus, minus] = [0, 1, (radius << 1) - 1];
  while (dx >= dy) {
    rows[dy] = Math.max(rows[dy]!, dx);
    rows[dx] = Math.max(rows[dx]!, dy);
    dy++;
    error += plus;
    plus += 2;
    if (error > 0) {
      error -= minus;
      dx--;
      minus -= 2;
    }
  }
  return rows;
}

const discs = new Map<number, Int32Array>();
const MOST_DISCS = 256;

function disc(radius: number): Int32Array {
  let rows = discs.get(radius);
  if (rows === undefined) {
    if (discs.size >= MOST_DISCS) discs.clear();
    rows = halfWidths(radius);
    discs.set(radius, rows);
  }
  return rows;
}

/** @param radius whole pixels; far larger ones than the canvas are cut to it */
export function fillCircle(canvas: Canvas, x: number, y: number, radius: number, colour: Colour): void {
  if (!isNear(canvas, x, y, radius)) return;
  const rows = disc(Math.min(Math.max(Math.round(radius), 0), 2 * Math.max(canvas.width, canvas.height)));
  for (let dy = 0; dy < rows.length; dy++) {
    const half = rows[dy]!;
    span(canvas, y + dy, x - half, x + half, colour);
    if (dy > 0) span(canvas, y - dy, x - half, x + half, colour);
  }
}

/** A point so far outside that nothing of it is seen, or no point at all. */
function isNear({ width, height }: Canvas, x: number, y: number, reach: number): boolean {
  return x + reach >= 0 && y + reach >= 0 && x - reach < width && y - reach < height;
}

/** A line of round ends, `thickness` pixels wide. */
export function drawLine(
  canvas: Canvas,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  thickness: number,
  colour: Colour,
): void {
  const part = clip(canvas, x0, y0, x1, y1, thickness + 2);
  if (part === undefined) return;
  if (thickness <= 1) return thinLine(canvas, part, colour);
  const [ax, ay, bx, by] = part;
  const length = Math.hypot(bx - ax, by - ay);
  // OpenCV's lines of odd thickness are half a pixel wider at each side.
  const half = Math.ceil(thickness / 2);
  if (length > 0) {
    const [nx, ny] = [((by - ay) / length) * half, ((ax - bx) / length) * half];
    fillConvex(canvas, [ax + nx, bx + nx, bx - nx, ax - nx], [ay + ny, by + ny, by - ny, ay - ny], colour);
  }
  fillCircle(canvas, Math.round(ax), Math.round(ay), half, colour);
  fillCircle(canvas, Math.round(bx), Math.round(by), half, colour);
}

type Segment = readonly [x0: number, y0: number, x1: number, y1: number];

/** The part of a line that is at most `margin` outside the canvas. */
function clip(
  { width, height }: Canvas,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  margin: number,
): Segment | undefined {
  const [dx, dy] = [x1 - x0, y1 - y0];
  if (!Number.isFinite(dx) || !Number.isFinite(dy)) return undefined;
  let [from, to] = [0, 1];
  for (const [step, room] of [
    [-dx, x0 + margin],
    [dx, width + margin - x0],
    [-dy, y0 + margin],
    [dy, height + margin - y0],
  ] as const) {
    if (step === 0 && room < 0) return undefined;
    if (step < 0) from = Math.max(from, room / step);
    if (step > 0) to = Math.min(to, room / step);
  }
  return from > to ? undefined : [x0 + from * dx, y0 + from * dy, x0 + to * dx, y0 + to * dy];
}

/** One pixel wide, each pixel touching the next also by its corner; from the left, a half way nearer to the start. */
function thinLine(canvas: Canvas, [ax, ay, bx, by]: Segment, colour: Colour): void {
  const [x0, y0, x1, y1] = (ax <= bx ? [ax, ay, bx, by] : [bx, by, ax, ay]).map(Math.round) as [number, number, number, number]; // prettier-ignore
  const [dx, dy] = [x1 - x0, y1 - y0];
  const steps = Math.max(Math.abs(dx), Math.abs(dy), 1);
  const moved = (delta: number, step: number) => Math.sign(delta) * Math.ceil((Math.abs(delta) * step) / steps - 0.5);
  for (let step = 0; step <= steps; step++) {
    const x = x0 + moved(dx, step);
    span(canvas, y0 + moved(dy, step), x, x, colour);
  }
}

/** A line of squares, `thickness` pixels wide to the right and below, whose colour changes from one end to the other, as MediaPipe draws it. */
export function drawGradient(
  canvas: Canvas,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  thickness: number,
  [first, last]: readonly [Colour, Colour],
): void {
  const part = clip(canvas, x0, y0, x1, y1, thickness);
  if (part === undefined) return;
  const [ax, ay, bx, by] = part;
  const steps = Math.ceil(Math.abs(bx - ax) + Math.abs(by - ay));
  for (let step = 0; step <= steps; step++) {
    const way = steps === 0 ? 0 : step / steps;
    const [left, top] = [Math.round(ax + way * (bx - ax)), Math.round(ay + way * (by - ay))];
    const [right, bottom] = [left + thickness - 1, top + thickness - 1];
    const share = step / (steps + 1);
    const mixed = (at: 0 | 1 | 2) => Math.round(first[at] * (1 - share) + last[at] * share);
    fillConvex(canvas, [left, right, right, left], [top, top, bottom, bottom], [mixed(0), mixed(1), mixed(2)]);
  }
}

/** Fills a convex polygon, the pixels that its edge goes through included. */
export function fillConvex(canvas: Canvas, xs: readonly number[], ys: readonly number[], colour: Colour): void {
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const first = Math.max(Math.round(top), 0);
  const last = Math.min(Math.round(bottom), canvas.height - 1);
  for (let row = first; row <= last; row++) {
    const y = Math.min(Math.max(row, top), bottom);
    let [left, right] = [Infinity, -Infinity];
    for (let at = 0; at < xs.length; at++) {
      const next = (at + 1) % xs.length;
      const [ya, yb] = [ys[at]!, ys[next]!];
      if (y < Math.min(ya, yb) || y > Math.max(ya, yb)) continue;
      const x = ya === yb ? xs[at]! : xs[at]! + ((xs[next]! - xs[at]!) * (y - ya)) / (yb - ya);
      left = Math.min(left, x);
      right = Math.max(right, x);
    }
    if (left <= right) span(canvas, row, Math.round(left), Math.round(right), colour);
  }
}

/**
 * Text of one line in the font that comes along; what is not printable ASCII shows as a box.
 * @param x of its left end, `y` of its base line
 * @param scale pixels for one of the font
 */
export function drawText(canvas: Canvas, text: string, x: number, y: number, scale: number, colour: Colour): void {
  const size = Math.max(1, Math.round(scale));
  const top = Math.round(y) - GLYPH_HEIGHT * size;
  let left = Math.round(x);
  for (const character of text) {
    const glyph = FONT[(character.codePointAt(0) ?? 0) - 32] ?? FONT[95]!;
    for (let column = 0; column < GLYPH_WIDTH; column++) {
      for (let row = 0; row < GLYPH_HEIGHT; row++) {
        if (((glyph[column]! >> row) & 1) === 0) continue;
        for (let line = 0; line < size; line++) {
          const from = left + column * size;
          span(canvas, top + row * size + line, from, from + size - 1, colour);
        }
      }
    }
    left += (GLYPH_WIDTH + 1) * size;
  }
}

/** Width of a text in pixels. */
export function textWidth(text: string, scale: number): number {
  return Array.from(text).length * (GLYPH_WIDTH + 1) * Math.max(1, Math.round(scale));
}
