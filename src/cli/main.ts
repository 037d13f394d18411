import { packageVersion } from '../base/version.ts';
import { MillraceError } from '../base/errors.ts';
import { createLogger } from '../observability/logger.ts';
import { parseArguments } from './arguments.ts';
import { explainSettings } from './explain.ts';
import { helpText } from './help.ts';
import { loadSettings, servablesLoader } from './load-settings.ts';
import { serve, type ServeParts, type StartServer } from './serve.ts';
import { UsageError } from './usage-error.ts';

/** What the commands use of the process. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly onSignal: ServeParts['onSignal'];
  /** Loaded only by the command that needs it: help should not wait for gRPC. */
  readonly loadServer: () => Promise<StartServer>;
}

/** Runs `millrace` with `args`. @returns the exit code: 0, 1 where the server could not run, 2 where it was called wrongly */
export async function main(args: readonly string[], environment: Environment = processEnvironment()): Promise<number> {
  try {
    return await runCommand(args, environment);
  } catch (error) {
    const isUsage =
      error instanceof UsageError || (error instanceof MillraceError && error.details['origin'] === 'flag');
    environment.stderr(`millrace: ${startErrorText(error)}${isUsage ? ' (see millrace --help)' : ''}\n`);
    return isUsage ? 2 : 1;
  }
}

async function runCommand(args: readonly string[], environment: Environment): Promise<number> {
  if (args[0] === 'graph' || args[0] === 'trace') {
    const { graphCommand } = await import('./graph/graph-commands.ts');
    return graphCommand(args, { ...environment, logger: createLogger('error') });
  }
  const { command, flags } = parseArguments(args);
  switch (command) {
    case 'help':
      environment.stdout(helpText());
      return 0;
    case 'version':
      environment.stdout(`${await packageVersion()}\n`);
      return 0;
    case 'config explain':
      environment.stdout(explainSettings(await loadSettings(flags, environment.variables)));
      return 0;
    case 'serve': {
      const resolved = await loadSettings(flags, environment.variables);
      const startServer = await environment.loadServer();
      return serve(resolved, {
        startServer,
        loadServables: servablesLoader(resolved.settings),
        logger: createLogger(resolved.settings.logLevel),
        say: (line) => environment.stderr(`${line}\n`),
        onSignal: environment.onSignal,
      });
    }
  }
}

/** Ours in one line; anything else is a fault of the server's, with its stack. */
function startErrorText(error: unknown): string {
  if (error instanceof UsageError || error instanceof MillraceError) return error.message;
  return `cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function processEnvironment(): Environment {
  return {
    variables: process.env,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    loadServer: async () => (await import('../app/server.ts')).startServer,
    onSignal: (listener) => {
      process.on('SIGTERM', listener).on('SIGINT', listener);
      return () => process.off('SIGTERM', listener).off('SIGINT', listener);
    },
  };
}
