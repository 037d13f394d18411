import { fileURLToPath } from 'node:url';
import { resolveSettings, type ResolvedSettings } from '../config/resolve.ts';
import { sessionQuota, type Settings } from '../config/settings.ts';
import { loadOvmsConfig, readServerSection, singleServable } from '../serving/layouts/ovms-config.ts';
import { loadTritonRepository } from '../serving/layouts/triton/triton-repository.ts';
import type { LoadedServables } from '../serving/servable-spec.ts';

/** The graphs that come with Millrace; the same path from src/ and from dist/. */
const SHIPPED_CONFIG = fileURLToPath(new URL('../../graphs/config.json', import.meta.url));

/** Reads the configuration file's `server` section, which needs flags and environment for its own path, and resolves all. */
export async function loadSettings(
  flags: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ResolvedSettings> {
  const first = resolveSettings({ flags, environment });
  const path = configPathOf(first.settings);
  if (path === undefined) return first;
  return resolveSettings({ flags, environment, file: { path, section: await readServerSection(path) } });
}

/** How the servables are read, now and at each reload. */
export function servablesLoader(settings: Settings): () => Promise<LoadedServables> {
  const { modelName, modelPath, targetDevice, pluginConfig, nireq, runDeadlineMs } = settings;
  const defaults = { runDeadlineMs, quota: sessionQuota(settings) };
  const { modelRepository: roots } = settings;
  if (roots !== undefined) return () => loadTritonRepository({ roots, ...defaults });
  const path = configPathOf(settings);
  if (path !== undefined) return () => loadOvmsConfig(path, defaults);
  const single = { modelName: modelName ?? '', modelPath: modelPath ?? '', targetDevice, pluginConfig, nireq };
  return () => singleServable(single, defaults);
}

/** Undefined where flags name the one servable, or a repository. */
function configPathOf({ configPath, modelPath, modelRepository }: Settings): string | undefined {
  return modelPath === undefined && modelRepository === undefined ? (configPath ?? SHIPPED_CONFIG) : undefined;
}
