/** Kinds of placeholders, as FastAPI has them, and what they take. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  str: '[^/]+',
  path: '.*',
  int: '[0-9]+',
  float: '[0-9]+(?:\\.[0-9]+)?',
  uuid: '[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}',
};

/** The path of a route, with placeholders as FastAPI has them: `/models/{name}/explain`, `/files/{rest:path}`. */
export class PathPattern {
  readonly text: string;
  readonly #regex: RegExp;
  readonly #names: readonly string[];

  /** @throws TypeError where it is none, with what is wrong */
  constructor(text: string) {
    if (!text.startsWith('/')) throw new TypeError(`path "${text}": one that begins with / expected`);
    const names: string[] = [];
    const source = text.replace(/\{([^{}]*)\}|[^{}]+|[{}]/g, (part, placeholder: string | undefined) => {
      if (part === '{' || part === '}') throw new TypeError(`path "${text}": a lone ${part}, {name} expected`);
      if (placeholder === undefined) return part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
      const [, name, kind = 'str'] = /^(\w+)(?::(\w+))?$/.exec(placeholder) ?? [];
      const taken = PLACEHOLDERS[kind];
      if (name === undefined || taken === undefined || names.includes(name)) {
        throw new TypeError(
          `path "${text}": placeholder ${part} given, a name of its own like {name} or {name:path} expected`,
        );
      }
      names.push(name);
      return `(${taken})`;
    });
    this.text = text;
    this.#names = names;
    this.#regex = new RegExp(`^${source}$`);
  }

  /** Of a pattern as fastify has them: `/v2/models/:model`, `/docs/*`. */
  static ofFastify(url: string): PathPattern {
    return new PathPattern(url.replace(/:(\w+)/g, '{$1}').replace(/\*$/, '{rest:path}'));
  }

  /** What stands in the place of the placeholders, by their names. @param path decoded */
  match(path: string): Readonly<Record<string, string>> | undefined {
    const found = this.#regex.exec(path);
    return found === null ? undefined : Object.fromEntries(this.#names.map((name, at) => [name, found[at + 1] ?? '']));
  }

  /** Whether some path might match both. Segments with a placeholder count as matching any other one. */
  overlaps(other: PathPattern): boolean {
    const [own, others] = [this.text.split('/'), other.text.split('/')];
    for (let at = 0; at < Math.max(own.length, others.length); at++) {
      const [a, b] = [own[at], others[at]];
      if (a === undefined || b === undefined) return false;
      if (a.includes(':path}') || b.includes(':path}')) return true;
      if (a !== b && !a.includes('{') && !b.includes('{')) return false;
    }
    return true;
  }
}

/** The placeholders of a path that is a pattern, in order. */
export function placeholdersOf(path: string): { readonly name: string; readonly kind: string }[] {
  return Array.from(path.matchAll(/\{(\w+)(?::(\w+))?\}/g), ([, name = '', kind = 'str']) => ({ name, kind }));
}

/** A request's path without its %-escapes; as it is where they are none. */
export function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
