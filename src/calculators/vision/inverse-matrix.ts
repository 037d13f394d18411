import { MillraceError } from '../../base/errors.ts';
import { defineCalculator } from '../../graph/index.ts';
import { floatVector } from '../core/packet-types.ts';

/**
 * The inverse of a 4×4 matrix that moves, turns and scales, by rows, as the MATRIX of ImageToTensor: from the image to the region.
 *
 * node {
 *   calculator: "InverseMatrixCalculator"
 *   input_stream: "MATRIX:region_to_image"
 *   output_stream: "MATRIX:image_to_region"
 * }
 */
export const inverseMatrix = defineCalculator({
  name: 'InverseMatrixCalculator',
  inputs: { MATRIX: floatVector },
  outputs: { MATRIX: floatVector },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const matrix = inputs.MATRIX.packet?.value;
      if (matrix !== undefined) outputs.MATRIX.send(inverse(matrix));
    },
  }),
});

/** Depth is scaled by itself: x and y do not depend on it. */
function inverse(matrix: ArrayLike<number>): number[] {
  const at = (index: number): number => matrix[index] ?? NaN;
  const determinant = at(0) * at(5) - at(1) * at(4);
  if (!(matrix.length === 16 && Number.isFinite(1 / determinant) && at(10) !== 0)) {
    throw new MillraceError(
      'GRAPH_FAILED',
      `MATRIX: ${matrix.length} numbers with a determinant of ${determinant} given, 16 of a matrix that has an inverse expected`,
    );
  }
  const [a, b, d, e] = [at(5) / determinant, -at(1) / determinant, -at(4) / determinant, at(0) / determinant];
  const depth = 1 / at(10);
  return [
    ...[a, b, 0, -(a * at(3) + b * at(7))],
    ...[d, e, 0, -(d * at(3) + e * at(7))],
    ...[0, 0, depth, -depth * at(11)],
    ...[0, 0, 0, 1],
  ];
}
