import type { Logger } from '../../base/logger.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import type { ScriptHandler } from './define-script.ts';

/** What ScriptCalculator nodes need of the run that they are in, as its service "scripts". */
export interface ScriptService {
  /** Absolute path of the graph file's folder. */
  readonly folder: string;
  readonly logger: Logger;
  /** Of the session's first request. */
  readonly parameters: Parameters;
  /** A node's script: another object in each run where the module exports a class and the node does not share it. */
  script(node: string): ScriptHandler;
  /** Parameters of the request at this timestamp; empty if there was none. */
  parametersAt(timestamp: bigint): Parameters;
}

/** The name under which runs of graphs find their {@link ScriptService}. */
export const SCRIPT_SERVICE = 'scripts';
