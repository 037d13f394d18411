import { letHeapGrow } from '../base/heap-growth.ts';
import { packageVersion } from '../base/version.ts';
import { MillraceError } from '../base/errors.ts';
import type { ResolvedSettings } from '../config/resolve.ts';
import { createLogger } from '../observability/logger.ts';
import { parseArguments } from './arguments.ts';
import { explainServables, explainServerFields, explainSettings } from './explain.ts';
import { helpText, startHelpText } from './help.ts';
import { loadPipelinesSection, loadSettings, servablesLoader } from './load-settings.ts';
import { serve, type ServeParts, type StartServer } from './serve.ts';
import { planStart } from './start-settings.ts';
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
    const help = helpFor(error);
    environment.stderr(`millrace: ${startErrorText(error)}${help === undefined ? '' : ` (see ${help})`}\n`);
    return help === undefined ? 1 : 2;
  }
}

async function runCommand(args: readonly string[], environment: Environment): Promise<number> {
  // "help graph check" is "graph check --help".
  const given = args[0] === 'help' ? [...args.slice(1), '--help'] : args;
  if (given[0] === 'graph' || given[0] === 'trace') {
    const { graphCommand } = await import('./graph/graph-commands.ts');
    return graphCommand(given, { ...environment, logger: createLogger('error') });
  }
  const [word, ...rest] = given;
  if (word === 'client' || word === 'infer' || word === 'models' || word === 'perf') {
    const { clientCommand } = await import('./client/client-commands.ts');
    return clientCommand(word, rest, environment);
  }
  if (word === 'token') {
    const { tokenCommand } = await import('./token-command.ts');
    return tokenCommand(rest, environment);
  }
  if (word === 'pipelines') {
    const { pipelinesCommand } = await import('./pipelines.ts');
    return pipelinesCommand(rest, environment);
  }
  const { command, folder, flags, topic } = parseArguments(given);
  switch (command) {
    case 'help':
      environment.stdout(topic === 'start' ? startHelpText() : helpText());
      return 0;
    case 'version':
      environment.stdout(`${await packageVersion()}\n`);
      return 0;
    case 'config explain': {
      if (folder !== undefined) return explainFolder({ folder, flags, environment });
      const resolved = await loadSettings(flags, environment.variables);
      return explain(resolved, servablesLoader(resolved.settings), environment);
    }
    case 'start':
      return start({ folder, flags, environment });
    case 'serve': {
      const resolved = await loadSettings(flags, environment.variables);
      const parts = await serveParts(resolved, servablesLoader(resolved.settings), environment);
      return serve(resolved, {
        ...parts,
        pipelines: await loadPipelinesSection(resolved.settings, environment.variables),
      });
    }
  }
}

interface FolderCommand {
  readonly folder: string | undefined;
  readonly flags: Readonly<Record<string, string>>;
  readonly environment: Environment;
}

/** Serves an MLServer folder. */
async function start({ folder, flags, environment }: FolderCommand): Promise<number> {
  const plan = await planStart({ folder, flags, variables: environment.variables, workingFolder: process.cwd() });
  const { resolved, loadServables, mlserver, notes } = plan;
  const parts = await serveParts(resolved, loadServables, environment);
  for (const note of notes) parts.logger.info({}, note);
  return serve(resolved, { ...parts, mlserver });
}

async function explainFolder({ folder, flags, environment }: FolderCommand): Promise<number> {
  const plan = await planStart({ folder, flags, variables: environment.variables, workingFolder: process.cwd() });
  environment.stdout(explainServerFields(plan.server));
  return explain(plan.resolved, plan.loadServables, environment);
}

async function serveParts(
  { settings }: ResolvedSettings,
  loadServables: ServeParts['loadServables'],
  environment: Environment,
): Promise<ServeParts> {
  return {
    startServer: await environment.loadServer(),
    loadServables,
    logger: createLogger(settings.logLevel),
    say: (line) => environment.stderr(`${line}\n`),
    onSignal: environment.onSignal,
  };
}

/** Shows settings and servables; faults of entries and of graph files go to standard error. @returns the exit code: 1 where there are faults */
async function explain(
  resolved: ResolvedSettings,
  loadServables: ServeParts['loadServables'],
  { stdout, stderr }: Environment,
): Promise<number> {
  stdout(explainSettings(resolved));
  const loaded = await loadServables();
  if (loaded.specs.length > 0) stdout(`\n${explainServables(loaded)}`);
  for (const warning of [...resolved.warnings, ...loaded.warnings]) stderr(`millrace: warning: ${warning}\n`);
  const { graphFaults } = await import('./graph/graph-faults.ts');
  const faults = [...loaded.broken, ...(await graphFaults(loaded.specs))];
  for (const { name, reason } of faults) {
    // An entry without a name is listed under its place, with which its reason begins.
    const what = reason.startsWith(`${name}: `) ? 'an entry' : `"${name}"`;
    stderr(`millrace: ${what} would not be served: ${reason}\n`);
  }
  return faults.length === 0 ? 0 : 1;
}

/** Where usage is explained, if the command line is what was wrong. */
function helpFor(error: unknown): string | undefined {
  if (error instanceof UsageError) return error.help;
  return error instanceof MillraceError && error.details['origin'] === 'flag' ? 'millrace --help' : undefined;
}

/** Ours in one line; anything else is a fault of the server's, with its stack. */
function startErrorText(error: unknown): string {
  if (error instanceof MillraceError && error.reason === 'PORT_IN_USE') {
    return `${error.message}; --port (gRPC), --rest_port, --mlserver_port and --metrics_port choose others`;
  }
  if (error instanceof UsageError || error instanceof MillraceError) return error.message;
  return `cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function processEnvironment(): Environment {
  return {
    variables: process.env,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    loadServer: async () => {
      letHeapGrow();
      return (await import('../app/server.ts')).startServer;
    },
    onSignal: (listener) => {
      process.on('SIGTERM', listener).on('SIGINT', listener);
      return () => process.off('SIGTERM', listener).off('SIGINT', listener);
    },
  };
}
