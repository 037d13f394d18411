/** Levels of load: `4`, `1:8` (each), `1:16:5` (in steps of 5) or `1:16:x2` (each twice the one before). */
export function parseLevels(text: string): number[] {
  const match = /^(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?)(?::(x?)(\d+(?:\.\d+)?))?)?$/.exec(text);
  if (match === null)
    throw new RangeError(`${text} given, START, START:END, START:END:STEP or START:END:xFACTOR expected`);
  const start = Number(match[1]);
  const end = match[2] === undefined ? start : Number(match[2]);
  const isFactor = match[3] === 'x';
  const step = match[4] === undefined ? 1 : Number(match[4]);
  if (start <= 0 || end < start)
    throw new RangeError(`${text} given, a start above 0 and an end not below it expected`);
  if (isFactor ? step <= 1 : step <= 0)
    throw new RangeError(`${text} given, a step above ${isFactor ? 1 : 0} expected`);
  const levels: number[] = [];
  for (let level = start; level <= end * (1 + 1e-9); level = isFactor ? level * step : level + step) levels.push(level);
  return levels;
}
