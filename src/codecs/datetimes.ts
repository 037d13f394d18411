import type { Tensor } from '../tensor/tensor.ts';
import { bytesOf, listTensor } from './bytes-lists.ts';
import { wrongElement, wrongValue } from './faults.ts';

const DATE = /^(\d{4})(?:-W(\d\d)(?:-(\d))?|W(\d\d)(\d)?|-(\d\d)-(\d\d)|(\d\d)(\d\d))/;
const TIME = /^(?:(\d\d)(?::(\d\d)(?::(\d\d))?)?|(\d\d)(\d\d)(\d\d)?)(?:[.,](\d+))?(?=[Z+\- ]|$)/;
const OFFSET = /^ ?(?:Z|([+-])(?:(\d\d)(?::(\d\d)(?::(\d\d)(?:\.\d+)?)?)?|(\d\d)(\d\d)(?:(\d\d)(?:\.\d+)?)?))$/;
const DAY_MS = 86_400_000;

/**
 * `datetime`: ISO 8601 texts, in every form that Python's `datetime.fromisoformat` reads. A time without offset counts as
 * UTC. What a Date cannot hold, digits beyond the millisecond, is cut off.
 * @throws MALFORMED_BYTES for an element that is none
 */
export function decodeDatetimes(tensor: Tensor): Date[] {
  return bytesOf(tensor, 'datetime').map((element, index) => {
    const text = element.toString('latin1');
    const time = parseIso(text);
    if (time !== undefined) return new Date(time);
    throw wrongElement(tensor, 'datetime', index, `is ${JSON.stringify(text.slice(0, 40))}, an ISO 8601 text expected`);
  });
}

/** Texts count as encoded already. Dates are written as Python writes them: `+00:00`, six digits or none. */
export function encodeDatetimes(name: string, values: readonly (Date | string)[]): Tensor {
  const texts = values.map((value) => {
    if (typeof value === 'string') return value;
    if (Number.isNaN(value.getTime())) throw wrongValue(name, value, 'a valid Date');
    return value
      .toISOString()
      .replace('.000Z', '+00:00')
      .replace(/(\.\d{3})Z$/, '$1000+00:00');
  });
  return listTensor(name, texts, 'datetime');
}

/** Milliseconds since 1970, UTC; undefined where the text is no ISO 8601 date or date and time. */
function parseIso(text: string): number | undefined {
  const [date, ...parts] = DATE.exec(text) ?? [];
  if (date === undefined) return undefined;
  const day = dayOf(parts);
  if (day === undefined || date.length === text.length) return day;
  // One character of any kind stands between date and time.
  const rest = text.slice(date.length + 1);
  const clock = TIME.exec(rest);
  if (clock === null) return undefined;
  const time = clockMs(clock.slice(1));
  const offset = rest.length === clock[0].length ? 0 : offsetOf(rest.slice(clock[0].length));
  if (time === undefined || offset === undefined) return undefined;
  return day + time + Number((clock[7] ?? '').slice(0, 3).padEnd(3, '0')) - offset;
}

/** The groups of {@link DATE}: year, then week and weekday twice, month and day twice: each with dashes and without. */
function dayOf(groups: readonly (string | undefined)[]): number | undefined {
  const [year, week, weekday, basicWeek, basicWeekday, month, day, basicMonth, basicDay] = groups;
  const someWeek = week ?? basicWeek;
  if (someWeek !== undefined) return weekDay(Number(year), Number(someWeek), Number(weekday ?? basicWeekday ?? 1));
  const [y, m, d] = [Number(year), Number(month ?? basicMonth), Number(day ?? basicDay)];
  const time = new Date(0).setUTCFullYear(y, m - 1, d);
  const made = new Date(time);
  return y >= 1 && made.getUTCMonth() === m - 1 && made.getUTCDate() === d ? time : undefined;
}

/** ISO week 1 is the one with January 4th. */
function weekDay(year: number, week: number, weekday: number): number | undefined {
  if (week < 1 || weekday < 1 || weekday > 7) return undefined;
  const monday = firstMonday(year);
  const time = monday + ((week - 1) * 7 + weekday - 1) * DAY_MS;
  return monday + (week - 1) * 7 * DAY_MS < firstMonday(year + 1) ? time : undefined;
}

function firstMonday(year: number): number {
  const fourth = new Date(0).setUTCFullYear(year, 0, 4);
  return fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * DAY_MS;
}

/** Milliseconds east of UTC. */
function offsetOf(text: string): number | undefined {
  const found = OFFSET.exec(text);
  if (found === null) return undefined;
  const value = clockMs(found.slice(2));
  return found[1] === '-' && value !== undefined ? -value : value;
}

/** Hours, minutes and seconds in groups, twice: with colons and without. */
function clockMs(groups: readonly (string | undefined)[]): number | undefined {
  const [hours, minutes, seconds] = [0, 1, 2].map((at) => Number(groups[at] ?? groups[at + 3] ?? 0));
  if (hours === undefined || minutes === undefined || seconds === undefined) return undefined;
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  return (hours * 60 + minutes) * 60_000 + seconds * 1000;
}
