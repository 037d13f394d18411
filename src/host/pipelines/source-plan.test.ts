import { describe, expect, test } from 'vitest';
import { pipelineSchema } from '../../pipelines/common/pipeline-schema.ts';
import type { SourceDefaults } from '../../pipelines/common/messages.ts';
import { planSources, type SourcePlan } from './source-plan.ts';

function plan(pipeline: object, sources: SourceDefaults = {}): SourcePlan {
  const request = pipelineSchema.parse({ video_reference: 'rtsp://camera/1', model_id: 'm', ...pipeline });
  const [only] = planSources({
    id: 'p',
    pipeline: request,
    detector: undefined,
    classNames: [],
    sources,
    startFrames: [],
    startSequence: 0,
    isHeld: false,
  });
  return only as SourcePlan;
}

const THEIRS = { streamPaceTolerance: 0.1, readerPaceTolerance: 5, minimumSamples: 10, maximumDroppedInRow: 16 };

describe('adaptive strategies', () => {
  test.each(['ADAPTIVE_DROP_OLDEST', 'ADAPTIVE_DROP_LATEST'])("%s: by paces, with Roboflow's limits", (strategy) => {
    const { options } = plan({ source_buffer_filling_strategy: strategy });
    expect(options.adaptive).toEqual(THEIRS);
    expect(options.buffer?.whenFull).toBe(strategy.endsWith('OLDEST') ? 'drop_oldest' : 'drop_newest');
  });

  test.each(['WAIT', 'DROP_OLDEST', 'DROP_LATEST', undefined])('%s: not by paces', (strategy) => {
    expect(plan({ source_buffer_filling_strategy: strategy }).options.adaptive).toBeUndefined();
  });

  test("a pipeline's limits go before those of the configuration", () => {
    const pipeline = {
      source_buffer_filling_strategy: 'ADAPTIVE_DROP_OLDEST',
      adaptive: { maximum_adaptive_frames_dropped_in_row: 2 },
    };
    const sources = { adaptive: { maximum_adaptive_frames_dropped_in_row: 4, minimum_adaptive_mode_samples: 20 } };
    expect(plan(pipeline, sources).options.adaptive).toEqual({
      ...THEIRS,
      maximumDroppedInRow: 2,
      minimumSamples: 20,
    });
  });

  test('with backpressure it is the fullness of the buffer alone that counts', () => {
    const sources = { adaptive: { backpressure: true } };
    const { options } = plan({ source_buffer_filling_strategy: 'ADAPTIVE_DROP_OLDEST' }, sources);
    expect(options.adaptive).toBeUndefined();
    expect(options.buffer).toMatchObject({ whenFull: 'drop_oldest' });
  });
});

describe('a live source of which nothing is said is named as in Roboflow’s reports', () => {
  test('and drops by the fullness of its buffer', () => {
    const planned = plan({});
    expect(planned.options.adaptive).toBeUndefined();
    expect(planned.namesOf(true)).toMatchObject({ filling: 'ADAPTIVE_DROP_OLDEST', drops_by: 'fullness' });
  });

  test('and by paces, as theirs, where backpressure is false', () => {
    const planned = plan({}, { adaptive: { backpressure: false } });
    expect(planned.options.adaptive).toEqual(THEIRS);
    expect(planned.namesOf(true)).toMatchObject({ filling: 'ADAPTIVE_DROP_OLDEST', drops_by: 'paces' });
    expect(planned.namesOf(false)).toEqual({ filling: 'WAIT', consumption: 'LAZY', buffer_size: 4 });
  });
});

test('the size of the buffer: of the pipeline, of the configuration, or by the consumption', () => {
  const sources = { buffer_size: 64 };
  expect(plan({ buffer_size: 5 }, sources).options.buffer?.capacity).toBe(5);
  expect(plan({}, sources).namesOf(true)).toEqual({
    filling: 'ADAPTIVE_DROP_OLDEST',
    consumption: 'EAGER',
    buffer_size: 64,
    drops_by: 'fullness',
  });
  expect(plan({ source_buffer_consumption_strategy: 'LAZY' }).options.buffer?.capacity).toBe(8);
});
