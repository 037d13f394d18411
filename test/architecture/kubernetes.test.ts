import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkManifests, containerOf, manifest, podOf, type Manifest } from '../support/manifests.ts';
import { ROOT } from '../support/paths.ts';

const FOLDER = 'extras/kubernetes';
let manifests: readonly Manifest[];

beforeAll(async () => {
  const names = await readdir(join(ROOT, FOLDER), { recursive: true });
  manifests = await checkManifests(names.filter((name) => name.endsWith('.yaml')).map((name) => `${FOLDER}/${name}`));
}, 120_000);

test('each is what the schemas of Kubernetes and KServe say', () => {
  expect(manifests.flatMap(({ file, faults }) => faults.map((fault) => `${file}: ${fault}`))).toEqual([]);
  expect(new Set(manifests.map(({ document }) => document.kind))).toEqual(
    new Set([
      'ClusterServingRuntime',
      'ConfigMap',
      'Deployment',
      'HorizontalPodAutoscaler',
      'InferenceService',
      'Kustomization',
      'PodDisruptionBudget',
      'Service',
      'ServiceMonitor',
    ]),
  );
});

test('the check finds unknown and missing fields, wrong types', async () => {
  const [first, second, third] = await checkManifests(['test/fixtures/wrong-manifests.yaml']);
  expect(first?.faults.join('\n')).toMatch(/'imagePolicy' was unexpected/);
  expect(second?.faults.join('\n')).toMatch(/has no field 'modelFormats'/);
  expect(second?.faults.join('\n')).toMatch(/`containers`, must not be `None`/);
  expect(third?.faults.join('\n')).toMatch(/autoSelect: 'yes' given, bool expected/);
  expect(third?.faults.join('\n')).toMatch(/containerPort: .*'http' is not of type 'integer'/);
}, 60_000);

test('kustomize finds its files, and the image that it names anew is that of the pods', () => {
  const { resources, images } = manifest(manifests, 'Kustomization').document as unknown as Kustomization;
  const files = manifests.map(({ file }) => file);
  for (const name of resources) expect(files).toContain(`${FOLDER}/${name}`);
  const pods = manifests.filter(({ document: { kind } }) => kind === 'Deployment' || kind === 'ClusterServingRuntime');
  const used = pods.map((item) => containerOf(item).image.split(':')[0]);
  expect(new Set(used)).toEqual(new Set(images.map(({ name }) => name)));
});

interface Kustomization {
  readonly resources: readonly string[];
  readonly images: readonly { readonly name: string }[];
}

const SELECTOR = { 'app.kubernetes.io/name': 'millrace' };

test('the monitor and the budget, the scaler and the Services are of the Deployment', () => {
  const monitor = z.strictObject({
    apiVersion: z.literal('monitoring.coreos.com/v1'),
    kind: z.literal('ServiceMonitor'),
    metadata: z.object({ name: z.string() }),
    spec: z.strictObject({
      selector: z.strictObject({
        matchLabels: z.record(z.string(), z.string()),
        matchExpressions: z.array(
          z.strictObject({ key: z.string(), operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']) }),
        ),
      }),
      endpoints: z.array(z.strictObject({ port: z.string(), path: z.string(), interval: z.string().regex(/^\d+s$/) })),
    }),
  });
  const { spec } = monitor.parse(manifest(manifests, 'ServiceMonitor').document);
  const [service, pods] = manifests.filter(({ document }) => document.kind === 'Service');
  expect(spec.selector.matchLabels).toEqual(SELECTOR);
  expect(service?.document.metadata?.labels).toMatchObject(SELECTOR);
  expect(spec.selector.matchExpressions.map(({ key }) => key in (pods?.document.metadata?.labels ?? {}))).toEqual([
    true,
  ]);
  expect(service?.document.spec).toMatchObject({
    selector: SELECTOR,
    ports: [{ name: 'grpc' }, {}, { name: spec.endpoints[0]?.port }],
  });
  expect(manifest(manifests, 'PodDisruptionBudget').document.spec).toMatchObject({
    selector: { matchLabels: SELECTOR },
  });
  const target = { kind: 'Deployment', name: 'millrace' };
  expect(manifest(manifests, 'HorizontalPodAutoscaler').document.spec).toMatchObject({ scaleTargetRef: target });
});

describe.each(['deployment.yaml', 'secured.yaml'])('%s', (file) => {
  const deployment = (): Manifest => manifest(manifests, 'Deployment', file);

  test('its pods end after preStop, the grace of the server and some time for the rest', () => {
    const { lifecycle, args } = containerOf(deployment());
    const [, seconds] = lifecycle?.preStop.exec.command ?? [];
    const grace = args.find((arg) => arg.startsWith('--shutdown_grace_s='))?.split('=')[1];
    const { terminationGracePeriodSeconds } = podOf(deployment());
    expect(Number(seconds) + Number(grace)).toBeGreaterThan(30);
    expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(Number(seconds) + Number(grace) + 15);
  });

  test('ports that probes and Services name are there', () => {
    const { ports = [], ...container } = containerOf(deployment());
    const names = ports.map(({ name }) => name);
    expect(names).toEqual(['grpc', 'http', 'metrics']);
    for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
      const port = probe?.httpGet?.port ?? ports.find(({ containerPort }) => containerPort === probe?.grpc?.port)?.name;
      expect(names).toContain(port);
    }
    for (const { document } of manifests.filter(({ document }) => document.kind === 'Service')) {
      for (const { targetPort } of (document.spec as { ports: { targetPort: string }[] }).ports)
        expect(names).toContain(targetPort);
    }
  });

  test('mounts and volumes are the same, and the root of the file system is read-only', () => {
    const { volumes = [] } = podOf(deployment());
    const { volumeMounts = [], securityContext } = containerOf(deployment());
    expect(volumeMounts.map(({ name }) => name)).toEqual(volumes.map(({ name }) => name));
    expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
    expect(podOf(deployment()).securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
  });
});

test('every InferenceService names a runtime that is here, one of its formats, and ends after the server', () => {
  const services = manifests.filter(({ document }) => document.kind === 'InferenceService');
  const runtimes = manifests.filter(({ document }) => document.kind === 'ClusterServingRuntime');
  expect(services).toHaveLength(4);
  for (const { document } of services) {
    const { predictor } = document.spec as {
      predictor: {
        terminationGracePeriodSeconds?: number;
        model: { runtime: string; modelFormat: { name: string }; args?: readonly string[] };
      };
    };
    const { model, terminationGracePeriodSeconds = 30 } = predictor;
    const runtime = runtimes.find(({ document }) => document.metadata?.name === model.runtime);
    if (runtime === undefined) throw new Error(`no runtime is named ${model.runtime}`);
    const { supportedModelFormats } = runtime.document.spec as { supportedModelFormats: { name: string }[] };
    expect(supportedModelFormats.map(({ name }) => name)).toContain(model.modelFormat.name);
    const args = [...containerOf(runtime).args, ...(model.args ?? [])];
    const grace = args.findLast((arg) => arg.startsWith('--shutdown_grace_s='))?.split('=')[1];
    expect(Number(grace)).toBeLessThanOrEqual(terminationGracePeriodSeconds - 10);
    expect(containerOf(runtime).name).toBe('kserve-container');
  }
});
