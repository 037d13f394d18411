import type { NodeDefinition } from '../graph/index.ts';
import { coreCalculators } from './core/index.ts';
import { inference } from './model/inference.ts';
import { modelSession } from './model/session.ts';
import { pythonExecutor } from './script/python-executor.ts';
import { pyTensorConverter } from './script/py-tensor-converter.ts';
import { scriptCalculator } from './script/script-calculator.ts';
import { constantTensor } from './tensor/constant-tensor.ts';
import { counter } from './tensor/counter.ts';
import { identity } from './tensor/identity.ts';
import { withOptionTypes } from './option-types.ts';
import { messageVectorCalculators } from './vectors.ts';
import { visionCalculators } from './vision/index.ts';

/** Every calculator and subgraph that comes with the server; a registry refuses two of one name. */
export const builtinCalculators: readonly NodeDefinition[] = withOptionTypes([
  ...coreCalculators,
  ...messageVectorCalculators,
  identity,
  counter,
  constantTensor,
  modelSession,
  inference,
  scriptCalculator,
  pythonExecutor,
  pyTensorConverter,
  ...visionCalculators,
]);
