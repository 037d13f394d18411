/** What a graph file names that is not in it. */
export interface GraphNames {
  /** Of its nodes, and its status handlers. */
  readonly calculators: readonly string[];
  /** Files of users' code: `handler_path` of its nodes, as written. */
  readonly handlers: readonly string[];
  /** Models of this server. */
  readonly models: readonly string[];
}

/** Comments, which are skipped; strings, which may hold what looks like a field; `field: "value"`. */
const TOKENS =
  /#[^\n]*|(?:\b(calculator|status_handler|handler_path|servable_name)\s*:\s*)?("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/g;

/**
 * Reads just those names from a graph's text: the front decides by them where the graph is loaded and what is watched, and
 * leaves the graph itself, its faults included, to the host.
 */
export function graphNames(text: string): GraphNames {
  const calculators = new Set<string>();
  const names = {
    calculator: calculators,
    status_handler: calculators,
    handler_path: new Set<string>(),
    servable_name: new Set<string>(),
  };
  for (const [, field, quoted] of text.matchAll(TOKENS)) {
    if (field !== undefined && quoted !== undefined) names[field as keyof typeof names].add(quoted.slice(1, -1));
  }
  return {
    calculators: [...calculators],
    handlers: [...names.handler_path],
    models: [...names.servable_name],
  };
}
