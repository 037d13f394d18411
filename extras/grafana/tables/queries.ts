import type { Query } from '../panel.ts';

/** Per second, summed by labels. */
export const rate = (metric: string, by: string, filter: string): string =>
  `sum by(${by}) (rate(${metric}{${filter}}[$__rate_interval]))`;

/** The mean of what a histogram observed, or of a time and its count. */
export const mean = (metric: string, by: string, filter: string): string =>
  `${rate(`${metric}_sum`, by, filter)} / (${rate(`${metric}_count`, by, filter)} > 0)`;

/** Quantiles of a histogram, a line each. */
export const quantiles = (metric: string, filter: string, of: readonly number[] = [0.5, 0.95, 0.99]): Query[] =>
  of.map((q) => ({ expr: quantile(q, metric, filter), legend: `p${q * 100}` }));

export const quantile = (q: number, metric: string, filter: string): string =>
  `histogram_quantile(${q}, sum by(le) (rate(${metric}_bucket{${filter}}[$__rate_interval])))`;

/** What there is now, summed by labels. */
export const now = (metric: string, by: string, filter: string): string => `sum by(${by}) (${metric}{${filter}})`;
