/** Protocol extensions that the server has in every dialect, as Triton names them; both transports tell the same. */
export const EXTENSIONS: readonly string[] = [
  'binary_tensor_data',
  'generate',
  'model_configuration',
  'parameters',
  'statistics',
];

/** The same in Triton's dialect. */
export const TRITON_EXTENSIONS: readonly string[] = [
  ...EXTENSIONS,
  'classification',
  'logging',
  'model_repository',
  'model_repository(unload_dependents)',
  'schedule_policy',
  'sequence',
  'system_shared_memory',
  'trace',
];
