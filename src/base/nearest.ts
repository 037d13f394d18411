import { distance } from 'fastest-levenshtein';

/** What is longer is no slip of the pen, and comparing takes the product of both lengths. */
const MAX_LENGTH = 200;

/** A shorter beginning says too little. */
const MIN_BEGINNING = 3;

/** The known name most like `name`, if one is close enough to be a slip of the pen, or else one that begins with it. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const names = [...known];
  let best: string | undefined;
  // Of a short name something must be right.
  let bestDistance = Math.min(Math.max(2, Math.floor(name.length / 3)), name.length - 1) + 1;
  for (const candidate of names) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  if (best !== undefined || name.replace(/^-+/, '').length < MIN_BEGINNING) return best;
  return names.find((candidate) => candidate.toLowerCase().startsWith(name.toLowerCase()));
}

/** `; did you mean "x"?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const candidate = nearest(name, known);
  return candidate === undefined ? '' : `; did you mean "${candidate}"?`;
}

/** How many names a message lists. */
const MAX_LISTED = 10;

/** What to name instead of an unknown `what`: `; did you mean "x"?`, else `; it has input "x", "y"` or `; it has no input`. */
export function knownNames(what: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  if (names.length === 0) return `; it has no ${what}`;
  return didYouMean(name, names) || `; it has ${what} ${listed(names)}`;
}

/** `"x", "y"`, with `…` for what is too much. */
export function listed(names: readonly string[]): string {
  const first = names.slice(0, MAX_LISTED).map((each) => `"${each}"`);
  return `${first.join(', ')}${names.length > MAX_LISTED ? ', …' : ''}`;
}
