import { InferenceError } from '../../client/inference-error.ts';
import { inferCommand } from './infer-command.ts';
import { modelsCommand } from './models-command.ts';
import { perfCommand } from './perf-command.ts';
import { streamCommand } from './stream-command.ts';

/** What the client commands use of the process. */
export interface ClientEnvironment {
  readonly variables: NodeJS.ProcessEnv;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** @returns how to stop listening */
  readonly onSignal: (listener: () => void) => () => void;
}

const COMMANDS = { client: streamCommand, infer: inferCommand, models: modelsCommand, perf: perfCommand } as const;

export type ClientCommand = keyof typeof COMMANDS;

/**
 * `millrace client|infer|models|perf …`: clients of any KServe v2 server.
 * @returns the exit code: 1 where the server refused or could not be reached
 * @throws UsageError
 */
export async function clientCommand(
  command: ClientCommand,
  args: readonly string[],
  environment: ClientEnvironment,
): Promise<number> {
  try {
    return await COMMANDS[command](args, environment);
  } catch (error) {
    if (!(error instanceof InferenceError)) throw error;
    environment.stderr(`millrace: ${error.status}: ${error.message}\n`);
    return 1;
  }
}
