/** One entry of a list of streams or side packets. */
export interface TagEntry {
  readonly tag: string;
  readonly index: number;
  readonly name: string;
}

const ENTRY = /^(?:([A-Z_][A-Z0-9_]*):(?:(0|[1-9][0-9]*):)?)?([a-z_][a-z0-9_]*)$/;
const TAG_INDEX = /^([A-Z_][A-Z0-9_]*)?(?::(0|[1-9][0-9]*))?$/;

/**
 * Reads `TAG:index:name` entries: collection order (tag in byte order, the empty tag first; then index), every fault in
 * `faults`. Untagged names take the next free index of the empty tag.
 */
export function parseTagMap(entries: readonly string[], faults: string[]): TagEntry[] {
  const map: TagEntry[] = [];
  const names = new Map<string, string>();
  let untagged = 0;
  for (const text of entries) {
    const match = ENTRY.exec(text);
    if (match === null) {
      faults.push(`"${text}" is not TAG:index:name, TAG:name or name (names in lower case, tags in upper case)`);
      continue;
    }
    const [, tag = '', digits, name = ''] = match;
    const index = tag === '' ? untagged++ : Number(digits ?? 0);
    const key = tagIndexName(tag, index);
    const taken = names.get(key);
    if (taken !== undefined) {
      faults.push(`tag "${tag}" index ${index} already had a name "${taken}" but is being reassigned a name "${name}"`);
      continue;
    }
    names.set(key, name);
    map.push({ tag, index, name });
  }
  map.sort((a, b) => (a.tag === b.tag ? a.index - b.index : a.tag < b.tag ? -1 : 1));
  const gap = map.find(
    (entry, at) => entry.index !== (map[at - 1]?.tag === entry.tag ? (map[at - 1]?.index ?? 0) + 1 : 0),
  );
  if (gap !== undefined && faults.length === 0) {
    faults.push(`tag "${gap.tag}" has an index ${gap.index} but not all indexes below it`);
  }
  return map;
}

/** `TAG`, `TAG:2`, `` or `:3` of an input_stream_info; nothing when malformed. */
export function parseTagIndex(text: string): { readonly tag: string; readonly index: number } | undefined {
  const match = TAG_INDEX.exec(text);
  return match === null ? undefined : { tag: match[1] ?? '', index: Number(match[2] ?? 0) };
}

export function tagIndexName(tag: string, index: number): string {
  return `${tag}:${index}`;
}
