import type { Faults } from './faults.ts';
import type { GraphConfig, NodeConfig } from './graph-config.ts';

/** Executors are accepted and checked; everything runs on one thread all the same. */
export function checkExecutors(config: GraphConfig, nodes: readonly NodeConfig[], faults: Faults): void {
  const declared = new Set<string>();
  for (const { name } of config.executor) {
    if (isReserved(name)) faults.add('INVALID_ARGUMENT', `"${name}" is a reserved executor name.`);
    if (declared.has(name)) faults.add('INVALID_ARGUMENT', `The executor "${name}" is declared twice.`);
    declared.add(name);
  }
  if (declared.has('') && config.numThreads !== 0) {
    faults.add(
      'INVALID_ARGUMENT',
      'ExecutorConfig for the default executor and the graph-level num_threads field should not both be specified.',
    );
  }
  for (const { executor, line } of nodes) {
    if (executor === '' || declared.has(executor)) continue;
    const problem = isReserved(executor)
      ? `"${executor}" is a reserved executor name.`
      : `The executor "${executor}" is not declared in an ExecutorConfig.`;
    faults.add('INVALID_ARGUMENT', problem, line);
  }
}

function isReserved(name: string): boolean {
  return name === 'default' || name === 'gpu' || name.startsWith('__');
}
