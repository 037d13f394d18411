import type { ModelOptions } from './model-session.ts';

/**
 * How a model uses the processors of its process. One that is told to use fewer than all leaves the others to what else runs there:
 * it gets an inference thread, of as many as have room beside each other.
 * @param wanted threads of a run; undefined: as many as there are processors
 * @param processors that the process may use
 */
export function modelThreads(
  wanted: number | undefined,
  processors: number,
): Required<Pick<ModelOptions, 'intraOpThreads' | 'inferenceThreads'>> {
  const intraOpThreads = wanted ?? processors;
  return {
    intraOpThreads,
    inferenceThreads: intraOpThreads < processors ? Math.floor(processors / intraOpThreads) : 0,
  };
}
