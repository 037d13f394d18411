import type { NodeDefinition } from '../../graph/index.ts';
import { annotationOverlay } from './annotation-overlay.ts';
import { associationDetection, associationNormRect } from './association.ts';
import { detectionsToRenderData, rectToRenderData, rectToRenderScale } from './boxes-to-render-data.ts';
import {
  detectionVectorHasMinSize,
  normalizedLandmarkListVectorHasMinSize,
  normalizedRectVectorHasMinSize,
} from './collection-size.ts';
import { detectionLabelIdToText } from './detection-labels.ts';
import { detectionLetterboxRemoval, detectionProjection } from './detection-projection.ts';
import { detectionUniqueId } from './detection-unique-id.ts';
import { alignmentPointsRects, detectionsToRects, handDetectionsFromPoseToRects } from './detections-to-rects.ts';
import { floatsToTensor } from './floats-to-tensor.ts';
import { fromImageCalculator, toImageCalculator } from './image-conversion.ts';
import { imageCropping } from './image-cropping.ts';
import { imageProperties } from './image-properties.ts';
import { imageToTensor } from './image-to-tensor.ts';
import { imageTransformation } from './image-transformation.ts';
import { inverseMatrix } from './inverse-matrix.ts';
import { landmarkLetterboxRemoval, landmarkProjection, worldLandmarkProjection } from './landmark-projection.ts';
import { landmarkVisibility } from './landmark-visibility.ts';
import { landmarksSmoothing, visibilityCopy, visibilitySmoothing } from './landmarks-smoothing.ts';
import { handLandmarksToRect, landmarksToDetection } from './landmarks-to-detection.ts';
import { landmarksToRenderData } from './landmarks-to-render-data.ts';
import { landmarksToTensor } from './landmarks-to-tensor.ts';
import { nonMaxSuppression } from './non-max-suppression.ts';
import { openvinoConverter } from './openvino-converter.ts';
import { rectTransformation } from './rect-transformation.ts';
import { landmarksRefinement, refineLandmarksFromHeatmap } from './refine-landmarks.ts';
import { roiTracking } from './roi-tracking.ts';
import { recolor, tensorsToSegmentation } from './segmentation.ts';
import { segmentationSmoothing } from './segmentation-smoothing.ts';
import { ssdAnchors } from './ssd-anchors.ts';
import { openvinoTensorsToClassification, tensorsToClassification } from './tensors-to-classification.ts';
import { openvinoTensorsToDetections, tensorsToDetections } from './tensors-to-detections.ts';
import { tensorsToFloats, tensorsToLandmarks } from './tensors-to-landmarks.ts';
import { warpAffine } from './warp-affine.ts';
import { yoloImageToTensor } from './yolo-image-to-tensor.ts';
import { yoloTensorToDetections } from './yolo-tensor-to-detections.ts';

/** Calculators for images, and for what models find in them. */
export const visionCalculators: readonly NodeDefinition[] = [
  alignmentPointsRects,
  annotationOverlay,
  associationDetection,
  associationNormRect,
  detectionLabelIdToText,
  detectionLetterboxRemoval,
  detectionProjection,
  detectionUniqueId,
  detectionVectorHasMinSize,
  detectionsToRects,
  detectionsToRenderData,
  floatsToTensor,
  fromImageCalculator,
  handDetectionsFromPoseToRects,
  handLandmarksToRect,
  imageCropping,
  imageProperties,
  imageToTensor,
  imageTransformation,
  inverseMatrix,
  landmarkLetterboxRemoval,
  landmarkProjection,
  landmarkVisibility,
  landmarksRefinement,
  landmarksSmoothing,
  landmarksToDetection,
  landmarksToRenderData,
  landmarksToTensor,
  nonMaxSuppression,
  normalizedLandmarkListVectorHasMinSize,
  normalizedRectVectorHasMinSize,
  openvinoConverter,
  openvinoTensorsToClassification,
  openvinoTensorsToDetections,
  recolor,
  rectToRenderData,
  rectToRenderScale,
  rectTransformation,
  refineLandmarksFromHeatmap,
  roiTracking,
  segmentationSmoothing,
  ssdAnchors,
  tensorsToClassification,
  tensorsToDetections,
  tensorsToFloats,
  tensorsToLandmarks,
  tensorsToSegmentation,
  toImageCalculator,
  visibilityCopy,
  visibilitySmoothing,
  warpAffine,
  worldLandmarkProjection,
  yoloImageToTensor,
  yoloTensorToDetections,
];
