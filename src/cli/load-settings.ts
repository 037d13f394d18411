import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveSettings, type ResolvedSettings } from '../config/resolve.ts';
import { sessionQuota, sharedResources, type Settings } from '../config/settings.ts';
import {
  loadOvmsConfig,
  readPipelinesSection,
  readServerSection,
  singleServable,
} from '../serving/layouts/ovms-config.ts';
import { loadTritonRepository } from '../serving/layouts/triton/triton-repository.ts';
import { streamManagerSettings, unusedVariables } from './stream-manager-environment.ts';
import { withVideoSourceVariables } from './video-source-environment.ts';
import type { LoadedServables, Overrides } from '../serving/servable-spec.ts';

/** The graphs that come with Millrace; the same path from src/ and from dist/. */
const SHIPPED_CONFIG = fileURLToPath(new URL('../../graphs/config.json', import.meta.url));

/** Reads the configuration file's `server` section, which needs flags and environment for its own path, and resolves all. */
export async function loadSettings(
  flags: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ResolvedSettings> {
  const foreign = streamManagerSettings(environment);
  const first = resolveSettings({ foreign, flags, environment });
  const path = configPathOf(first.settings);
  const file = path === undefined ? undefined : { path, section: await readServerSection(path) };
  const resolved = file === undefined ? first : resolveSettings({ foreign, flags, environment, file });
  return { ...resolved, warnings: [...resolved.warnings, ...unusedVariables(environment)] };
}

/** The configuration file's section `pipelines` over Roboflow's variables, not yet checked, and the folder that its paths start from. */
export async function loadPipelinesSection(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ section: unknown; folder: string }> {
  const path = configPathOf(settings);
  const [section, folder] =
    path === undefined ? [undefined, process.cwd()] : [await readPipelinesSection(path), dirname(resolve(path))];
  return { section: withVideoSourceVariables(section, environment), folder };
}

/** How the servables are read, now and at each reload. */
export function servablesLoader(settings: Settings): (overrides?: Overrides) => Promise<LoadedServables> {
  const { modelName, modelPath, targetDevice, pluginConfig, nireq, runDeadlineMs } = settings;
  const defaults = { runDeadlineMs, quota: sessionQuota(settings) };
  const { modelRepository: roots } = settings;
  const resources = sharedResources(settings);
  if (roots !== undefined) return (overrides) => loadTritonRepository({ roots, ...defaults, resources, overrides });
  const path = configPathOf(settings);
  if (path !== undefined) return () => loadOvmsConfig(path, defaults);
  const single = { modelName: modelName ?? '', modelPath: modelPath ?? '', targetDevice, pluginConfig, nireq };
  return () => singleServable(single, defaults);
}

/** Undefined where flags name the one servable, or a repository. */
function configPathOf({ configPath, modelPath, modelRepository }: Settings): string | undefined {
  return modelPath === undefined && modelRepository === undefined ? (configPath ?? SHIPPED_CONFIG) : undefined;
}
