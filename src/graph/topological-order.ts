/**
 * Sorts `0…count-1` so that each edge's `from` comes before its `to`; among free ones the lowest number first.
 * Returns the order, or the members of one cycle.
 */
export function topologicalOrder(
  count: number,
  edges: readonly (readonly [from: number, to: number])[],
): { readonly order: readonly number[] } | { readonly cycle: readonly number[] } {
  const successors: number[][] = Array.from({ length: count }, () => []);
  const waiting = new Array<number>(count).fill(0);
  for (const [from, to] of edges) {
    successors[from]?.push(to);
    waiting[to] = (waiting[to] ?? 0) + 1;
  }
  const free = waiting.flatMap((n, at) => (n === 0 ? [at] : []));
  const order: number[] = [];
  while (free.length > 0) {
    const at = free.indexOf(Math.min(...free));
    const [next = 0] = free.splice(at, 1);
    order.push(next);
    for (const to of successors[next] ?? []) {
      waiting[to] = (waiting[to] ?? 0) - 1;
      if (waiting[to] === 0) free.push(to);
    }
  }
  return order.length === count ? { order } : { cycle: findCycle(successors, new Set(order)) };
}

/** Walks backwards among what could not be sorted until a number comes again. */
function findCycle(successors: readonly (readonly number[])[], sorted: ReadonlySet<number>): number[] {
  const predecessor = new Map<number, number>();
  successors.forEach((list, from) => {
    if (!sorted.has(from)) for (const to of list) predecessor.set(to, from);
  });
  const path: number[] = [];
  let at = successors.findIndex((_, from) => !sorted.has(from));
  while (!path.includes(at)) {
    path.push(at);
    at = predecessor.get(at) ?? at;
  }
  return path.slice(path.indexOf(at)).reverse();
}
