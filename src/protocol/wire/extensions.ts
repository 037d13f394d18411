/** Protocol extensions that the server has, as Triton names them; both transports tell the same. */
export const EXTENSIONS: readonly string[] = [
  'binary_tensor_data',
  'generate',
  'model_configuration',
  'parameters',
  'statistics',
];
