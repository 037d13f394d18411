/** A fenced block of a Markdown text. */
export interface Block {
  readonly language: string;
  /** Where it begins, from 1. */
  readonly line: number;
  readonly text: string;
  /** Of the `console` block that follows it, with nothing between: what it prints. */
  readonly output: string | undefined;
}

const FENCED = /^```(\w+)\n(.*?)^```$/gms;

/** The blocks of a Markdown text in their order; those of `console` belong to the block before them. */
export function blocksOf(markdown: string): Block[] {
  const found = [...markdown.matchAll(FENCED)];
  return found.flatMap((match, i) => {
    const [whole, language = '', text = ''] = match;
    if (language === 'console') return [];
    const next = found[i + 1];
    const between = markdown.slice(match.index + whole.length, next?.index);
    const isFollowed = next?.[1] === 'console' && between.trim() === '';
    const line = markdown.slice(0, match.index).split('\n').length;
    return [{ language, line, text, output: isFollowed ? next[2] : undefined }];
  });
}
