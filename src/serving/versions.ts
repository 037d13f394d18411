interface Versioned {
  readonly version: string;
}

const IS_DECIMAL = /^\d+$/;

/**
 * The versions of one name, the one that is served when none is asked for last: the highest, by number if all are numbers,
 * else by their text; one without a version comes after all (MLServer sheet §5).
 */
export function inOrder<T extends Versioned>(versions: readonly T[]): T[] {
  const named = versions.filter(({ version }) => version !== '');
  const areNumbers = named.every(({ version }) => IS_DECIMAL.test(version));
  const sorted = areNumbers
    ? named.toSorted((a, b) => Number(a.version) - Number(b.version))
    : named.toSorted((a, b) => (a.version < b.version ? -1 : 1));
  return [...sorted, ...versions.filter(({ version }) => version === '')];
}

/** The version that a client asks for by `version`, not "": its text, or the same number. */
export function findVersion<T extends Versioned>(versions: readonly T[], version: string): T | undefined {
  const same = versions.find((candidate) => candidate.version === version);
  if (same !== undefined || !IS_DECIMAL.test(version)) return same;
  return versions.find(
    (candidate) => IS_DECIMAL.test(candidate.version) && Number(candidate.version) === Number(version),
  );
}

/** Whether the versions are Triton's and OVMS's: numbers, so that another text is a fault of the request. */
export function areDecimal(versions: readonly Versioned[]): boolean {
  return versions.every(({ version }) => IS_DECIMAL.test(version));
}
