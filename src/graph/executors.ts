import type { Faults } from './faults.ts';
import type { GraphConfig, NodeConfig } from './graph-config.ts';

/** Executors are accepted and checked; everything runs on one thread all the same. */
export function checkExecutors(config: GraphConfig, nodes: readonly NodeConfig[], faults: Faults): void {
  const declared = new Set<string>();
  for (const { name } of config.executor) {
    if (isReserved(name)) faults.add('INVALID_ARGUMENT', `"${name}" is a reserved executor name; choose another.`);
    if (declared.has(name))
      faults.add('INVALID_ARGUMENT', `The executor "${name}" is declared twice; remove one of the two.`);
    declared.add(name);
  }
  if (declared.has('') && config.numThreads !== 0) {
    faults.add(
      'INVALID_ARGUMENT',
      'ExecutorConfig for the default executor and the graph-level num_threads field should not both be specified; remove one of the two.',
    );
  }
  for (const node of nodes) {
    const { executor } = node;
    if (executor === '' || declared.has(executor)) continue;
    const problem = isReserved(executor)
      ? `"${executor}" is a reserved executor name; choose another.`
      : `The executor "${executor}" is not declared in an ExecutorConfig; add executor { name: "${executor}" } or leave the field out.`;
    faults.add('INVALID_ARGUMENT', problem, node);
  }
}

function isReserved(name: string): boolean {
  return name === 'default' || name === 'gpu' || name.startsWith('__');
}
