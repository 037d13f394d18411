/** A name by its parts joined with dots, as graph files write it; `::`, as code writes it, is the same. */
export function dotted(name: string): string {
  return name.replaceAll('::', '.');
}

/**
 * What a name in a graph of a `package` may stand for, in the order in which it is looked up: relative to the package, to
 * each package around it, then by itself. In package `a.b`, `Foo` is `a.b.Foo`, `a.Foo` or `Foo`; `.Foo` is only `Foo`.
 */
export function meanings(name: string, packageName: string): string[] {
  const isAbsolute = name.startsWith('.');
  const plain = dotted(isAbsolute ? name.slice(1) : name);
  const spaces = isAbsolute || packageName === '' ? [] : dotted(packageName).split('.');
  return [...spaces.keys(), spaces.length].reverse().map((count) => [...spaces.slice(0, count), plain].join('.'));
}
