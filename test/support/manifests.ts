import { runPython } from './python.ts';

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number; readonly scheme?: string };
  readonly grpc?: { readonly port: number };
}

/** Of a container what the tests look at. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly securityContext?: object;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: object;
  readonly volumes?: readonly { readonly name: string }[];
}

/** A document of a YAML file, and what the schemas say against it. */
export interface Manifest {
  readonly file: string;
  readonly document: {
    readonly kind: string;
    /** Kustomize's file has none. */
    readonly metadata?: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
    readonly spec?: object;
    readonly data?: Readonly<Record<string, string>>;
  };
  readonly faults: readonly string[];
}

/** Reads manifests, each file relative to the repository, and checks them; see check_manifests.py. */
export async function checkManifests(files: readonly string[]): Promise<readonly Manifest[]> {
  return (await runPython('test/support/check_manifests.py', { files }, 'kubernetes')) as readonly Manifest[];
}

/** The first of a kind, in a file whose name ends so. */
export function manifest(manifests: readonly Manifest[], kind: string, file = ''): Manifest {
  const found = manifests.find((item) => item.document.kind === kind && item.file.endsWith(file));
  if (found === undefined) throw new Error(`there is no ${kind} in ${file}`);
  return found;
}

/** The pods of a Deployment; a ClusterServingRuntime is like one itself. */
export function podOf({ document: { spec } }: Manifest): PodSpec {
  return (spec as { template?: { spec: PodSpec } }).template?.spec ?? (spec as PodSpec);
}

export function containerOf(of: Manifest): Container {
  const [container] = podOf(of).containers;
  if (container === undefined) throw new Error(`${of.file} has no container`);
  return container;
}
