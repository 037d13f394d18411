import { didYouMean } from '../base/nearest.ts';
import { messageOf } from '../base/errors.ts';
import type { SidePackets } from './calculator-context.ts';
import type { PortDeclarations } from './calculator.ts';
import type { CalculatorRegistry } from './calculator-registry.ts';
import { matchPorts, type DraftPort } from './draft-node.ts';
import type { Faults } from './faults.ts';
import type { GraphConfig, StatusHandlerConfig } from './graph-config.ts';
import { codeOf, GraphError } from './graph-error.ts';
import { parseOptions } from './options.ts';
import type { SidePacketStore } from './side-packet-store.ts';
import type { StatusHandlerDefinition } from './status-handler.ts';
import { parseTagMap } from './tag-map.ts';

/** A status handler of one graph. */
export interface StatusHandlerPlan {
  readonly definition: StatusHandlerDefinition;
  readonly options: unknown;
  readonly sideInputs: readonly DraftPort[];
}

/** Checks the graph's status handlers: that they exist, their options, the tags of their side packets. */
export function planStatusHandlers(
  config: GraphConfig,
  registry: CalculatorRegistry,
  faults: Faults,
): StatusHandlerPlan[] {
  return config.statusHandler.flatMap((handler) => {
    try {
      return [plan(handler, config.package, registry)];
    } catch (error) {
      faults.add(codeOf(error), `status_handler "${handler.statusHandler}": ${messageOf(error)}`, handler);
      return [];
    }
  });
}

function plan(
  { statusHandler, inputSidePacket, options }: StatusHandlerConfig,
  packageName: string,
  registry: CalculatorRegistry,
) {
  const definition = registry.statusHandler(statusHandler, packageName);
  if (definition === undefined) {
    const suggestion = didYouMean(statusHandler, registry.statusHandlerNames());
    throw new GraphError('NOT_FOUND', `no status handler has this name${suggestion}`);
  }
  const problems: string[] = [];
  const entries = parseTagMap(inputSidePacket, problems);
  if (problems.length > 0) throw new GraphError('INVALID_ARGUMENT', problems.join('; '));
  const sideInputs = matchPorts('input side packet', entries, definition.inputSidePackets);
  return { definition, options: parseOptions(definition.options, options), sideInputs };
}

/**
 * Calls a handler.
 * @returns what is to fail the run: what the handler threw, or that side packets are missing, without which it is not called
 */
export function tellStatus(
  { definition, options, sideInputs }: StatusHandlerPlan,
  when: 'beforeRun' | 'afterRun',
  error: GraphError | undefined,
  sidePackets: SidePacketStore,
): GraphError | undefined {
  const tell = definition[when];
  if (tell === undefined) return undefined;
  const values = sideInputs.map(({ tag, name }) => [tag, sidePackets.get(name)] as const);
  const missing = sideInputs.find(({ name, isOptional, type }) => {
    const value = sidePackets.get(name);
    return value === undefined ? !isOptional : !type.accepts(value);
  });
  if (missing !== undefined) {
    const problem = `side packet "${missing.name}" of type "${missing.type.name}" is not there`;
    return new GraphError('INVALID_ARGUMENT', `Skipping run of status handler "${definition.name}": ${problem}`);
  }
  try {
    const told: unknown = tell({
      error,
      options,
      sidePackets: Object.fromEntries(values) as SidePackets<PortDeclarations>,
    });
    if (!(told instanceof Promise)) return undefined;
    told.catch(() => {}); // nobody waits for it
    throw new Error(`${when} returned a promise, a function that is not asynchronous expected`);
  } catch (thrown) {
    return new GraphError(codeOf(thrown), `status handler "${definition.name}" failed: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}
