const FAULT_OF_THE_REQUEST =
  'Triton calls a malformed body an error of its own (500); it is a fault of the request (400)';
const UNKNOWN_FIRST =
  'the first request decides whose rules a stream follows; where it names nothing, the RPC ends as in OVMS';

/**
 * Where we answer otherwise than Triton, by exchange, and why. What is not listed must be the same; what is listed and is
 * the same after all fails too.
 */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  'model ready over http, unknown model': 'an unknown model is 404 at every endpoint',
  'version is no number [http-json]': 'the same answer as over gRPC; Triton does not know the path',
  'infer, no element [http-binary]': 'Triton leaves out the header length when all binary outputs are empty',
  'no body': 'Triton runs the model on an empty tensor; a body without JSON is refused',
  'number beyond FP32': 'Triton computes with infinity; a number that the datatype cannot hold is refused',
  'generate, two responses': 'Triton sends the error with status 200',
  'negative dimension [http-json]': FAULT_OF_THE_REQUEST,
  'too few elements [http-json]': FAULT_OF_THE_REQUEST,
  'too many elements [http-json]': FAULT_OF_THE_REQUEST,
  'malformed JSON': FAULT_OF_THE_REQUEST,
  'JSON that is no object': FAULT_OF_THE_REQUEST,
  'no inputs key': FAULT_OF_THE_REQUEST,
  'input without a shape': FAULT_OF_THE_REQUEST,
  'text for a number': FAULT_OF_THE_REQUEST,
  'null for a number': FAULT_OF_THE_REQUEST,
  'data is no array': FAULT_OF_THE_REQUEST,
  'generate_stream, malformed JSON': FAULT_OF_THE_REQUEST,
  'index over http, not a boolean': FAULT_OF_THE_REQUEST,
  'index over http, malformed': FAULT_OF_THE_REQUEST,
  'trace rate over http, a number': FAULT_OF_THE_REQUEST,
  'log setting over http, wrong type': FAULT_OF_THE_REQUEST,
  'log level over http, negative': FAULT_OF_THE_REQUEST,
  'log format over http that is none': 'the same answer as over gRPC, and as to any wrong value; Triton says 503 here',
  'shared memory register, empty key': 'a fault of the request, as in newer Tritons; this one calls it its own',
  'shared memory register, beyond the object': 'a fault of the request, as in newer Tritons; this one calls it its own',
  'CUDA memory register': 'there is no CUDA memory at all: UNIMPLEMENTED, with what to use instead',
  'stream, unknown model first': UNKNOWN_FIRST,
  'stream, unknown version': UNKNOWN_FIRST,
  'stream with the final response asked for':
    'a runtime answers all requests of a stream from one generator: which response is the last to a request is not known',
  'stream, BYTES length beyond the data':
    'Triton finds this fault in the backend and marks the error as the final response; ours is found before anything runs',
};
