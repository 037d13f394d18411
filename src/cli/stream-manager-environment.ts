import type { ForeignValue } from '../config/resolve.ts';
import type { OptionName } from '../config/settings.ts';

type Variables = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORT = 7070;
const DEFAULT_API_PORT = 9001;

/**
 * What the variables of Roboflow's stream management ask for (sheet §2), in our options. `STREAM_MANAGER_PORT` opens the
 * stream manager; so do `STREAM_MANAGER_HOST` and `STREAM_MANAGER_SOCKET_TIMEOUT`, on `PORT` (as the page has it) or 7070.
 * `ENABLE_STREAM_API` opens port 9001. All that is ours beats them.
 */
export function streamManagerSettings(variables: Variables): ReadonlyMap<OptionName, ForeignValue> {
  const {
    STREAM_MANAGER_HOST: host,
    STREAM_MANAGER_PORT: managerPort,
    STREAM_MANAGER_SOCKET_TIMEOUT: timeout,
    STREAM_MANAGEMENT_API_HOST: apiHost,
    STREAM_MANAGEMENT_API_PORT: apiPort,
    ENABLE_STREAM_API: streamApi,
    PORT: port,
  } = variables;
  const given = new Map<OptionName, ForeignValue>();
  const take = (name: OptionName, variable: string, value: unknown): void => {
    if (value === undefined || value === '') return;
    given.set(name, { value, origin: { kind: 'environment', text: variable } });
  };
  const isAsked = [host, timeout].some((each) => each !== undefined && each !== '');
  if (managerPort !== undefined && managerPort !== '') {
    take('stream_manager_port', 'STREAM_MANAGER_PORT', number(managerPort));
  } else if (isAsked) {
    const isGiven = port !== undefined && port !== '';
    take('stream_manager_port', isGiven ? 'PORT' : 'STREAM_MANAGER_HOST', isGiven ? number(port) : DEFAULT_PORT);
  }
  take('stream_manager_bind_address', 'STREAM_MANAGER_HOST', host);
  take(
    'stream_manager_timeout_s',
    'STREAM_MANAGER_SOCKET_TIMEOUT',
    timeout === undefined ? undefined : number(timeout),
  );
  take('rest_bind_address', 'STREAM_MANAGEMENT_API_HOST', apiHost);
  take('rest_port', 'STREAM_MANAGEMENT_API_PORT', apiPort === undefined ? undefined : number(apiPort));
  if (/^(true|1)$/i.test(streamApi ?? '')) take('stream_api_port', 'ENABLE_STREAM_API', DEFAULT_API_PORT);
  return given;
}

/** Of Roboflow's variables those that ask for what is not here (sheet §2), and why. */
const UNUSED: Readonly<Record<string, string>> = {
  STREAM_MANAGER_OPERATIONS_TIMEOUT:
    'no request waits for a pipeline without limit; --stream_manager_timeout_s has it for one request',
  STREAM_API_PRELOADED_PROCESSES: 'host processes run before the first pipeline does; --hosts says how many',
  STREAM_MANAGER_MAX_RAM_MB:
    'pipelines share their hosts; limit their number (pipelines.max_pipelines) and the memory of the container',
  STREAM_MANAGER_RAM_USAGE_QUEUE_SIZE: 'memory is not measured to decide of a pipeline',
};

/** What to tell of variables that are set and change nothing. */
export function unusedVariables(variables: Variables): string[] {
  return Object.entries(UNUSED).flatMap(([name, why]) =>
    (variables[name] ?? '') === '' ? [] : [`${name} is not used: ${why}`],
  );
}

/** What is no number stays a text, of which the option complains. */
function number(text: string): number | string {
  const value = Number(text);
  return text.trim() === '' || Number.isNaN(value) ? text : value;
}
