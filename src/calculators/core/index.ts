import type { CalculatorDefinition } from '../../graph/index.ts';
import { passThrough } from './pass-through.ts';

/** MediaPipe's standard calculators that know nothing of media. */
export const coreCalculators: readonly CalculatorDefinition[] = [passThrough];
