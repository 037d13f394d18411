/**
 * What `promise` settles to, if it does in time; else it rejects with what `fault` makes, and the late outcome is dropped.
 * @param ms 0: no limit
 */
export async function settledWithin<T>(promise: Promise<T>, ms: number, fault: () => Error): Promise<T> {
  if (ms === 0) return promise;
  let timer: NodeJS.Timeout | undefined;
  const timeOut = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(fault()), ms);
  });
  try {
    return await Promise.race([promise, timeOut]);
  } finally {
    clearTimeout(timer);
  }
}
