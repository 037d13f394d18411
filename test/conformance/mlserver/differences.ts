const MORE_EXTENSIONS = 'our own extensions are there, too';
const NO_TEXT = 'MLServer answers `Internal Server Error` as plain text; the fault is told, as JSON';
const FAULT_OF_THE_REQUEST = 'MLServer calls it an error of its own; it is a fault of the request';
const INDEX_STATE = 'MLServer prints the name of its enum, State.READY';
const EARLY_FAULT =
  'MLServer answers 500, or 200 and a cut connection; headers wait for the first event, so the status is right';
const EMPTY_STREAM = 'MLServer fails on a variable of its own; nothing is wrong with it';

/**
 * Where we answer otherwise than MLServer, by case, and why. What is not listed must be the same; what is listed and is the
 * same after all fails too.
 */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  'server metadata': MORE_EXTENSIONS,
  'grpc server metadata': MORE_EXTENSIONS,
  'metadata, no declared ones': 'a platform that is not declared is "mlserver", not empty',
  'infer, another exception': NO_TEXT,
  'infer, a model that only streams': `${NO_TEXT}; 501, since another path would do`,
  'infer, data that does not fit': FAULT_OF_THE_REQUEST,
  'grpc infer, data that does not fit': FAULT_OF_THE_REQUEST,
  'grpc infer, unknown datatype': FAULT_OF_THE_REQUEST,
  'stream, unknown model': EARLY_FAULT,
  'stream, unknown version': EARLY_FAULT,
  'stream, a fault before the first event': EARLY_FAULT,
  'stream, a fault after two events':
    'MLServer cuts the connection; the fault is the last event, and the stream ends well',
  'grpc model ready, unknown': 'MLServer forgets this error in one place: UNKNOWN; NOT_FOUND as everywhere else',
  'grpc index': INDEX_STATE,
  'grpc index of the older service': INDEX_STATE,
  'grpc stream without a response': EMPTY_STREAM,
  'grpc stream without a request': EMPTY_STREAM,
};
