import type { ServableDescription } from '../../ipc/description.ts';
import type { RuntimeDefinition, RuntimeMetadata } from '../../runtime/script/define-runtime.ts';
import { tensorSpecFault } from '../../tensor/tensor-fault.ts';
import type { DeclaredMetadata } from '../host-spec.ts';

interface Described {
  readonly definition: RuntimeDefinition;
  readonly declared: DeclaredMetadata | undefined;
  readonly isBatched: boolean;
}

/**
 * What the front is told of a loaded runtime: what it says itself, else what its settings say.
 * @throws Error where what it says is no metadata
 */
export async function describeRuntime({ definition, declared, isBatched }: Described): Promise<ServableDescription> {
  const said: RuntimeMetadata = (await definition.metadata?.()) ?? {};
  const { inputs, outputs } = definition;
  const { platform = '', inputs: declaredInputs, outputs: declaredOutputs, versions } = declared ?? {};
  const declaredVersions = said.versions ?? versions ?? [];
  const warning = 'max_batch_size and max_batch_time are for unary requests, not supported for inference streaming';
  const decoupled = definition.decoupled ?? definition.predict === undefined;
  return {
    platform: said.platform ?? (platform || 'millrace_runtime'),
    decoupled,
    answersEach: !decoupled && definition.predictStream === undefined,
    inputs: specs('inputs', inputs ?? said.inputs ?? declaredInputs),
    outputs: specs('outputs', outputs ?? said.outputs ?? declaredOutputs),
    ...(declaredVersions.length > 0 ? { declaredVersions } : undefined),
    ...(declared?.parameters === undefined ? undefined : { parameters: declared.parameters }),
    ...(isBatched && definition.predictStream !== undefined ? { warnings: [warning] } : undefined),
  };
}

function specs(what: string, value: ServableDescription['inputs'] = []): ServableDescription['inputs'] {
  if (!Array.isArray(value as unknown)) throw new Error(`its ${what} are no array`);
  for (const [at, spec] of value.entries()) {
    const fault = tensorSpecFault(spec);
    if (fault !== undefined) throw new Error(`${what}[${at}]: ${fault}`);
  }
  return value;
}
