/**
 * Microseconds of a clock that never goes back and that all processes of this machine share (`process.hrtime`), so that one
 * can tell how long a message of another has been under way.
 */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}
