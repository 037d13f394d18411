import { z } from 'zod';
import { defineCalculator, optional } from '../../graph/index.ts';
import type { Colour } from '../../media/drawing.ts';
import { float } from '../core/packet-types.ts';
import { landmarkList, normalizedLandmarkList, type Landmark } from '../message-types.ts';
import { renderData, type Mark } from './render-data.ts';
import { BLACK, colour, colourOf } from './render-options.ts';

const options = z.object({
  landmarkConnections: z.array(z.int().min(0)).default([]).describe('Pairs of points that a line joins.'),
  landmarkColor: colour.optional().describe('Of the points; black by default.'),
  connectionColor: colour.optional().describe('Of the lines; black by default.'),
  thickness: z.number().min(0).default(1).describe('Of lines, and radius of points, in pixels times RENDER_SCALE.'),
  visualizeLandmarkDepth: z
    .boolean()
    .default(true)
    .describe(
      'Lines and points are the lighter the nearer they are, points larger, where z differs by more than 0.001.',
    ),
  utilizeVisibility: z.boolean().default(false).describe('Points below visibility_threshold are left out.'),
  visibilityThreshold: z.number().default(0).describe('Lowest visibility.'),
  utilizePresence: z.boolean().default(false).describe('Points below presence_threshold are left out.'),
  presenceThreshold: z.number().default(0).describe('Lowest presence.'),
  renderLandmarks: z.boolean().default(true).describe('Points are drawn, not only lines.'),
  minDepthCircleThickness: z.number().default(0).describe('Radius of the furthest points, where depth is shown.'),
  maxDepthCircleThickness: z.number().default(18).describe('Radius of the nearest points, where depth is shown.'),
  minDepthLineColor: colour
    .optional()
    .describe('Of the furthest ends of lines, where depth is shown; black by default.'),
  maxDepthLineColor: colour
    .optional()
    .describe('Of the nearest ends of lines, where depth is shown; white by default.'),
});

type Options = z.infer<typeof options>;

/**
 * Lines between points, and the points, for AnnotationOverlay: NORM_LANDMARKS in shares of the picture, or LANDMARKS in
 * pixels. RENDER_SCALE is a factor of all thicknesses.
 *
 * node {
 *   calculator: "LandmarksToRenderDataCalculator"
 *   input_stream: "NORM_LANDMARKS:hand_landmarks"
 *   output_stream: "RENDER_DATA:hand_marks"
 *   options { [mediapipe.LandmarksToRenderDataCalculatorOptions.ext] {
 *     landmark_connections: [0, 1, 1, 2] landmark_color { r: 255 } connection_color { g: 255 }
 *     thickness: 4.0 visualize_landmark_depth: false
 *   } }
 * }
 */
export const landmarksToRenderData = defineCalculator({
  name: 'LandmarksToRenderDataCalculator',
  options,
  inputs: {
    NORM_LANDMARKS: optional(normalizedLandmarkList),
    LANDMARKS: optional(landmarkList),
    RENDER_SCALE: optional(float),
  },
  outputs: { RENDER_DATA: renderData },
  timestampOffset: 0,
  check({ landmarkConnections: pairs, visualizeLandmarkDepth: depth, ...given }) {
    if (pairs.length % 2 !== 0) return 'landmark_connections: an even number expected, two for each line';
    if (given.utilizeVisibility && given.visibilityThreshold > 1) return 'visibility_threshold: at most 1 expected';
    return depth && given.minDepthCircleThickness > given.maxDepthCircleThickness
      ? 'min_depth_circle_thickness is above max_depth_circle_thickness'
      : undefined;
  },
  contract({ inputs, fail }) {
    if (inputs.has('NORM_LANDMARKS') === inputs.has('LANDMARKS')) fail('NORM_LANDMARKS or LANDMARKS expected');
  },
  open({ options: given }) {
    return {
      process({ inputs, outputs }) {
        const points = (inputs.NORM_LANDMARKS ?? inputs.LANDMARKS)?.packet?.value;
        if (points === undefined) return;
        const scale = inputs.RENDER_SCALE?.packet?.value ?? 1;
        outputs.RENDER_DATA.send({ marks: marksOf(points, given, scale, inputs.NORM_LANDMARKS !== undefined) });
      },
    };
  },
});

function marksOf(points: readonly Landmark[], given: Options, scale: number, isNormalized: boolean): Mark[] {
  const depth = given.visualizeLandmarkDepth ? depthOf(points) : undefined;
  // A point of which neither is known, as of a hand, is shown, as by MediaPipe.
  const isShown = ({ visibility = Infinity, presence = Infinity }: Landmark) =>
    (!given.utilizeVisibility || visibility >= given.visibilityThreshold) &&
    (!given.utilizePresence || presence >= given.presenceThreshold);
  const marks: Mark[] = [];
  const thickness = given.thickness * scale;
  const lineColour = given.connectionColor === undefined ? BLACK : colourOf(given.connectionColor);
  for (let at = 0; at < given.landmarkConnections.length; at += 2) {
    const [a, b] = [points[given.landmarkConnections[at]!], points[given.landmarkConnections[at + 1]!]];
    if (a === undefined || b === undefined || !isShown(a) || !isShown(b)) continue;
    const colours =
      depth === undefined
        ? { colour: lineColour }
        : { colour: mix(given, depth(a.z)), endColour: mix(given, depth(b.z)) };
    marks.push({ kind: 'line', x0: a.x, y0: a.y, x1: b.x, y1: b.y, ...colours, thickness, isNormalized });
  }
  if (!given.renderLandmarks) return marks;
  const pointColour = given.landmarkColor === undefined ? BLACK : colourOf(given.landmarkColor);
  for (const point of points) {
    if (!isShown(point)) continue;
    const look = depth === undefined ? { colour: pointColour, thickness } : lookAt(depth(point.z), given);
    marks.push({ kind: 'point', x: point.x, y: point.y, ...look, isNormalized });
  }
  return marks;
}

/** How far off a point is among the others: 0 the nearest, 1 the furthest; nothing where all are as far. As MediaPipe: below 0 counts as 0 for the furthest. */
function depthOf(points: readonly Landmark[]): ((z: number) => number) | undefined {
  const [near, far] = [Math.min(...points.map(({ z }) => z)), Math.max(0, ...points.map(({ z }) => z))];
  return far - near > 1e-3 ? (z) => (z - near) / (far - near + 1e-6) : undefined;
}

function lookAt(
  depth: number,
  { minDepthCircleThickness: far, maxDepthCircleThickness: near }: Options,
): Pick<Mark, 'colour' | 'thickness'> {
  const grey = 255 - Math.trunc(depth * 255);
  return { colour: [grey, grey, grey], thickness: Math.trunc(far + (1 - depth) * (near - far)) };
}

function mix({ minDepthLineColor, maxDepthLineColor }: Options, depth: number): Colour {
  const far = minDepthLineColor === undefined ? BLACK : colourOf(minDepthLineColor);
  const near = maxDepthLineColor === undefined ? ([255, 255, 255] as const) : colourOf(maxDepthLineColor);
  const between = (at: 0 | 1 | 2) => Math.trunc(far[at] * depth + near[at] * (1 - depth));
  return [between(0), between(1), between(2)];
}
