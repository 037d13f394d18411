import type { TestServer } from './start-server.ts';

/** A version as `POST /v2/repository/index` lists it. */
export interface ListedVersion {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

export async function listVersions({ restUrl }: TestServer): Promise<ListedVersion[]> {
  const response = await fetch(`${restUrl}/v2/repository/index`, { method: 'POST' });
  return (await response.json()) as ListedVersion[];
}

/** The versions of one name, e.g. "1 READY" and "2 UNAVAILABLE". */
export async function versionStates(server: TestServer, name: string): Promise<string[]> {
  const listed = (await listVersions(server)).filter((version) => version.name === name);
  return listed.map(({ version, state }) => `${version} ${state}`).sort();
}

/** Why the servable, or its newest generation, is not served; "" where all is well. */
export async function reasonOf(server: TestServer, name: string): Promise<string> {
  const listed = (await listVersions(server)).filter((version) => version.name === name);
  return listed
    .map(({ reason }) => reason ?? '')
    .join('\n')
    .trim();
}

/** A version as OVMS's `GET /v1/config` lists it. */
export interface ConfigStatus {
  readonly version: string;
  readonly state: string;
  readonly status: { readonly error_code: string; readonly error_message: string };
}

export async function configStatus({ restUrl }: TestServer): Promise<Record<string, readonly ConfigStatus[]>> {
  const response = await fetch(`${restUrl}/v1/config`);
  const body = (await response.json()) as Record<string, { model_version_status: readonly ConfigStatus[] }>;
  return Object.fromEntries(Object.entries(body).map(([name, { model_version_status: list }]) => [name, list]));
}
