/**
 * Where we answer otherwise than Triton, by exchange, and why. What is not listed must be the same; what is listed and is
 * the same after all fails too.
 */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  ...both(
    'wrong datatype',
    ['grpc-raw', 'grpc-typed', 'http-json', 'http-binary'],
    'our identity takes every datatype',
  ),
  'infer, no element [http-binary]': 'Triton leaves out the header length when all binary outputs are empty',
  'no body': 'Triton runs the model on an empty tensor; a body without JSON is refused',
};

function both(name: string, forms: readonly string[], reason: string): Record<string, string> {
  return Object.fromEntries(forms.map((form) => [`${name} [${form}]`, reason]));
}
