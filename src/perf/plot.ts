import type { LevelReport } from './report.ts';

const WIDTH = 720;
const HEIGHT = 420;
const MARGIN = { left: 70, right: 20, top: 40, bottom: 50 };

/** The curve that people look for: p50 and p99 latency over throughput, a point per level, as SVG. */
export function plotSvg(reports: readonly LevelReport[], title: string): string {
  const xs = reports.map(({ inferences_per_s }) => inferences_per_s);
  const ys = reports.flatMap(({ latency_us }) => [latency_us.p50 / 1000, latency_us.p99 / 1000]);
  const x = scale(0, niceCeil(Math.max(...xs, 0)), MARGIN.left, WIDTH - MARGIN.right);
  const y = scale(0, niceCeil(Math.max(...ys, 0)), HEIGHT - MARGIN.bottom, MARGIN.top);
  const series = (key: 'p50' | 'p99', colour: string): string => {
    const points = reports.map(
      (report) => [x.at(report.inferences_per_s), y.at(report.latency_us[key] / 1000), report.level] as const,
    );
    const line = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' ');
    const dots = points.map(
      ([px, py, level]) => `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="3"><title>${level}</title></circle>`,
    );
    return `<g fill="${colour}" stroke="${colour}"><polyline points="${line}" fill="none" stroke-width="2"/>${dots.join('')}</g>`;
  };
  const xTicks = x.ticks.map(
    (tick) => `<text x="${x.at(tick)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${tick}</text>`,
  );
  const yTicks = y.ticks.map(
    (tick) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y.at(tick)}" y2="${y.at(tick)}" stroke="#ddd"/>` +
      `<text x="${MARGIN.left - 8}" y="${y.at(tick) + 4}" text-anchor="end">${tick}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="${WIDTH / 2}" y="20" text-anchor="middle" font-size="14">${escaped(title)}</text>
${yTicks.join('')}${xTicks.join('')}
<text x="${WIDTH / 2}" y="${HEIGHT - 12}" text-anchor="middle">inferences per second</text>
<text x="16" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 ${HEIGHT / 2})">latency, ms (p50 blue, p99 red)</text>
${series('p50', '#1f77b4')}${series('p99', '#d62728')}
</svg>
`;
}

interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

function scale(from: number, to: number, start: number, end: number): Scale {
  const step = (to - from) / 5;
  return {
    at: (value) => start + ((value - from) / (to - from)) * (end - start),
    ticks: Array.from({ length: 6 }, (_, i) => Number((from + i * step).toPrecision(6))),
  };
}

/** The next of 1, 2, 2.5 and 5 times a power of ten. */
function niceCeil(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 2.5, 5] as const).find((factor) => factor * power >= value) ?? 10) * power;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
