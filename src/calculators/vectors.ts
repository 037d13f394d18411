import type { CalculatorDefinition } from '../graph/index.ts';
import { defineConcatenateVector } from './core/concatenate-vector.ts';
import { defineSplitVector } from './core/split-vector.ts';
import { loopCalculators, vectorCalculators } from './core/vector-calculators.ts';
import * as types from './message-types.ts';
import { renderData } from './vision/render-data.ts';
import { imagePacket, tensorPacket, tensorsPacket } from './packet-types.ts';

/** Loops, concatenation and the like for vectors of tensors, images and MediaPipe's messages, and for lists. */
export const messageVectorCalculators: readonly CalculatorDefinition[] = [
  ...vectorCalculators('Tensor', tensorPacket(), tensorsPacket),
  ...vectorCalculators('Image', imagePacket),
  ...loopCalculators('ImageFrame', imagePacket),
  ...vectorCalculators('Matrix', types.matrix),
  ...vectorCalculators('Rect', types.rect),
  ...vectorCalculators('NormalizedRect', types.normalizedRect),
  ...vectorCalculators('Detection', types.detection),
  ...vectorCalculators('Landmark', types.normalizedLandmark),
  ...vectorCalculators('LandmarkList', types.landmarkList),
  ...loopCalculators('LandmarkListVector', types.landmarkList),
  ...vectorCalculators('NormalizedLandmarkList', types.normalizedLandmarkList),
  ...loopCalculators('NormalizedLandmarkListVector', types.normalizedLandmarkList),
  ...vectorCalculators('RenderData', renderData),
  ...vectorCalculators('ClassificationList', types.classificationList),
  defineConcatenateVector('ConcatenateLandmarkListCalculator', types.landmark, types.landmarkList),
  defineConcatenateVector(
    'ConcatenateNormalizedLandmarkListCalculator',
    types.normalizedLandmark,
    types.normalizedLandmarkList,
  ),
  defineConcatenateVector('ConcatenateClassificationListCalculator', types.classification, types.classificationList),
  defineConcatenateVector('ConcatenateDetectionListCalculator', types.detection, types.detectionList),
  defineSplitVector('SplitLandmarkListCalculator', types.landmark, types.landmarkList),
  defineSplitVector('SplitNormalizedLandmarkListCalculator', types.normalizedLandmark, types.normalizedLandmarkList),
  defineSplitVector('SplitClassificationListCalculator', types.classification, types.classificationList),
];
