/** Bucket bounds of every OVMS histogram, in microseconds: floor(10·1.8^i), so that its Grafana dashboards fit. */
export const OVMS_TIME_BOUNDS_US: readonly number[] = Array.from({ length: 33 }, (_, i) => Math.floor(10 * 1.8 ** i));
