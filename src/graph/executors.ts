import { z } from 'zod';
import { messageOf } from '../base/errors.ts';
import type { Faults } from './faults.ts';
import type { ExecutorConfig, GraphConfig, NodeConfig } from './graph-config.ts';
import { parseOptions } from './options.ts';

const TYPES: readonly string[] = ['ThreadPoolExecutor', 'ApplicationThreadExecutor'];

const THREAD_POOL_OPTIONS = 'mediapipe.ThreadPoolExecutorOptions';

const threadPoolOptions = z.object({
  numThreads: z
    .int('num_threads is not specified in ThreadPoolExecutorOptions.')
    .min(1)
    .describe('Asynchronous calls under way at once.'),
  stackSize: z.int().optional().describe('Without effect here.'),
  nicePriorityLevel: z.int().optional().describe('Without effect here.'),
  requireProcessorPerformance: z.string().optional().describe('Without effect here.'),
  threadNamePrefix: z.string().optional().describe('Without effect here.'),
});

/**
 * How many asynchronous calls each executor runs at once; those without a limit are left out. A pool's number of threads is
 * its limit, the application's thread is one.
 */
export function executorLimits(config: GraphConfig): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  if (config.numThreads > 0) limits.set('', config.numThreads);
  for (const { name, type, options } of config.executor) {
    if (type === 'ApplicationThreadExecutor') limits.set(name, 1);
    else if (type !== '') limits.set(name, parseOptions(threadPoolOptions, options).numThreads);
  }
  return limits;
}

/** Names are checked, and types: executors that the application provides do not exist here. */
export function checkExecutors(config: GraphConfig, nodes: readonly NodeConfig[], faults: Faults): void {
  const declared = new Set<string>();
  for (const executor of config.executor) {
    const { name } = executor;
    const fault = typeFault(executor);
    if (fault !== undefined) faults.add('INVALID_ARGUMENT', fault);
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
      : `The executor "${executor}" is not declared in an ExecutorConfig; add executor { name: "${executor}" type: "ThreadPoolExecutor" } or leave the field out.`;
    faults.add('INVALID_ARGUMENT', problem, node);
  }
}

/** What is wrong with the kind of an executor or its options; the default one needs no kind. */
function typeFault({ name, type, options }: ExecutorConfig): string | undefined {
  if (type === '' && name === '') return undefined;
  if (!TYPES.includes(type)) {
    const given = type === '' ? 'no type' : `type "${type}"`;
    return `The executor "${name}" has ${given}; ${TYPES.join(' or ')} expected.`;
  }
  const unknown = options.find((message) => message.type !== '' && message.type !== THREAD_POOL_OPTIONS);
  if (unknown !== undefined) {
    return `The executor "${name}" has options of type "${unknown.type}"; "${THREAD_POOL_OPTIONS}" expected.`;
  }
  if (type === 'ApplicationThreadExecutor') {
    if (name === '') return undefined;
    return `Only the default executor, of empty name, can be an ApplicationThreadExecutor; "${name}" given.`;
  }
  try {
    parseOptions(threadPoolOptions, options);
    return undefined;
  } catch (error) {
    return `The executor "${name}": ${messageOf(error)}`;
  }
}

function isReserved(name: string): boolean {
  return name === 'default' || name === 'gpu' || name.startsWith('__');
}
