import type { z } from 'zod';
import type { PortDeclarations } from './calculator.ts';
import type { SidePackets } from './calculator-context.ts';
import { emptyOptions } from './empty-options.ts';
import type { GraphError } from './graph-error.ts';

/** What a status handler is told. */
export interface RunStatus<Options = unknown, SideIn extends PortDeclarations = PortDeclarations> {
  /** What failed the run so far; nothing when it is well. */
  readonly error: GraphError | undefined;
  readonly options: Options;
  readonly sidePackets: SidePackets<SideIn>;
}

/** Told of the status of each run of a graph that names it in `status_handler`. What a function throws fails the run. */
export interface StatusHandlerDefinition {
  readonly name: string;
  readonly options: z.ZodType;
  readonly inputSidePackets: PortDeclarations;
  /** Before the first node opens. */
  readonly beforeRun: ((status: RunStatus) => void) | undefined;
  /** After the last node has closed; side packets that nodes made are there. */
  readonly afterRun: ((status: RunStatus) => void) | undefined;
}

/** Makes a status handler; tags of `inputSidePackets` are declared as a calculator's, without repeated ones. */
export function defineStatusHandler<Options = unknown, const SideIn extends PortDeclarations = PortDeclarations>(spec: {
  readonly name: string;
  readonly options?: z.ZodType<Options>;
  readonly inputSidePackets?: SideIn;
  beforeRun?(this: void, status: RunStatus<Options, SideIn>): void;
  afterRun?(this: void, status: RunStatus<Options, SideIn>): void;
}): StatusHandlerDefinition {
  return {
    name: spec.name,
    options: spec.options ?? emptyOptions,
    inputSidePackets: spec.inputSidePackets ?? {},
    beforeRun: spec.beforeRun as StatusHandlerDefinition['beforeRun'],
    afterRun: spec.afterRun as StatusHandlerDefinition['afterRun'],
  };
}
