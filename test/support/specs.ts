import {
  NO_QUOTA,
  type EnsembleSpec,
  type GraphSpec,
  type ModelSpec,
  type RuntimeSpec,
} from '../../src/serving/servable-spec.ts';

/** Specs as a layout would yield them, of files that are not there: for tests whose hosts load nothing. */
export const graphSpec = (name: string, more: Partial<GraphSpec> = {}): GraphSpec => ({
  ...base(name),
  kind: 'graph',
  graphPath: `${name}.pbtxt`,
  automaticTimestamps: undefined,
  quota: NO_QUOTA,
  calculators: [],
  isolation: 'shared',
  callDeadlineMs: 0,
  loadTimeoutMs: 0,
  models: [],
  ...more,
});

export const modelSpec = (name: string, more: Partial<ModelSpec> = {}): ModelSpec => ({
  ...base(name),
  kind: 'model',
  path: `${name}.onnx`,
  executionProviders: ['cpu'],
  runDeadlineMs: 0,
  ...more,
});

export const ensembleSpec = (name: string, models: readonly string[]): EnsembleSpec => ({
  ...base(name),
  kind: 'ensemble',
  graphText: '',
  steps: [],
  streams: {},
  signature: { maxBatchSize: 0, inputs: [], outputs: [] },
  models: models.map((model) => ({ name: model, version: '' })),
});

export const runtimeSpec = (name: string, more: Partial<RuntimeSpec> = {}): RuntimeSpec => ({
  ...base(name),
  kind: 'runtime',
  language: 'javascript',
  module: `${name}.js`,
  export: 'default',
  parameters: {},
  isolation: 'own',
  instances: 1,
  loadTimeoutMs: 0,
  callDeadlineMs: 0,
  ...more,
});

const base = (name: string) => ({ name, version: '1', fingerprint: 'a', files: [] });
