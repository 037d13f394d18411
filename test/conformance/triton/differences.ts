const FAULT_OF_THE_REQUEST =
  'Triton calls a malformed body an error of its own (500); it is a fault of the request (400)';
const UNKNOWN_FIRST =
  'the first request decides whose rules a stream follows; where it names nothing, the RPC ends as in OVMS';
const ID_OF_ANOTHER_KIND =
  'Triton runs the model with an id that is none of the request; an id that the control tensor cannot hold is refused';
const MAPPED_ONCE =
  'this Triton forgets the object after its first region, and blames itself; a fault of the request, or none';
const IN_THE_MIDDLE = 'this Triton maps from the start of a page only; positioned reads need no such place';
const GOES_ON_COUNTING =
  'counters go on over an unload, as those of the metrics do; Triton counts from the last load on';
const REASON_ALWAYS = '`reason` is there also where it is empty';
const NO_SEQUENCE =
  "Triton's ensembles answer with `sequence_id` 0, `sequence_start` and `sequence_end`, of no sequence; ours says nothing of any";
const NO_NUMBER =
  'a number that cannot be held is refused; Triton takes what its first digits, or its lowest bits, say';

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
  'statistics after a fault': 'a request that is refused before it runs counts as failed; Triton counts it nowhere',
  'sequence, metadata of its model': 'another platform',
  'sequence, statistics after':
    'Triton runs the free slots along as rows of the batch; the model cannot tell such a row, so none is made up',
  'sequence, text as id of a model that has numbers [grpc-raw]': ID_OF_ANOTHER_KIND,
  'sequence, text as id of a model that has numbers [http-json]': ID_OF_ANOTHER_KIND,
  'sequence, digits in a text as id [grpc-raw]': ID_OF_ANOTHER_KIND,
  'sequence, digits in a text as id [http-json]': ID_OF_ANOTHER_KIND,
  'sequence in a stream, text as id': ID_OF_ANOTHER_KIND,
  'sequence, id as uint64': 'an integer of any kind is an id, as over HTTP, where ids beyond int64 have no other form',
  'sequence over http, negative id': FAULT_OF_THE_REQUEST,
  'sequence over http, fraction as id': FAULT_OF_THE_REQUEST,
  'sequence over http, boolean as id': FAULT_OF_THE_REQUEST,
  'sequence over http, null as id': FAULT_OF_THE_REQUEST,
  'sequence over http, id beyond 64 bits': FAULT_OF_THE_REQUEST,
  'sequence over http, text for a flag': FAULT_OF_THE_REQUEST,
  'sequence over http, number for a flag': FAULT_OF_THE_REQUEST,
  'sequence over http, generate':
    'the parameters of sequences mean the same as everywhere; in Triton they mean nothing here, so the model cannot be asked',
  'regions, register the same object by another name': MAPPED_ONCE,
  'regions, register from the middle of a page on': IN_THE_MIDDLE,
  'regions, register without a name': 'an empty name means all regions where one is asked for or taken back',
  'regions, register nothing': MAPPED_ONCE,
  'regions, register with an offset beyond the object': MAPPED_ONCE,
  'regions, register one byte too many behind an offset': MAPPED_ONCE,
  'regions, register the greatest size': MAPPED_ONCE,
  'regions, register a sum that overflows': MAPPED_ONCE,
  "regions, register a key of Triton's own":
    'a fault of the request, as in newer Tritons; this one looks for the object',
  'regions, infer no byte': 'no byte can be read at any place of a region',
  'regions over http, register, malformed': FAULT_OF_THE_REQUEST,
  'regions over http, register, no body': FAULT_OF_THE_REQUEST,
  'regions over http, register, negative offset': FAULT_OF_THE_REQUEST,
  'regions over http, register, text for a size': FAULT_OF_THE_REQUEST,
  'regions over http, register, number for a key': FAULT_OF_THE_REQUEST,
  'regions over http, infer with an offset that is no number': FAULT_OF_THE_REQUEST,
  'repository index, null': FAULT_OF_THE_REQUEST,
  'load over http, malformed': FAULT_OF_THE_REQUEST,
  'load over http, parameters that are no object': FAULT_OF_THE_REQUEST,
  'load over http, number for a configuration': FAULT_OF_THE_REQUEST,
  'load over http, unknown parameter': FAULT_OF_THE_REQUEST,
  'trace over http, level as a text': FAULT_OF_THE_REQUEST,
  'trace over http, levels of a wrong type': FAULT_OF_THE_REQUEST,
  'trace over http, malformed': FAULT_OF_THE_REQUEST,
  'trace over http, no body': FAULT_OF_THE_REQUEST,
  'log over http, malformed': FAULT_OF_THE_REQUEST,
  'log over http, no body': FAULT_OF_THE_REQUEST,
  'log over http, level as a fraction': FAULT_OF_THE_REQUEST,
  'regions, register a name with a slash': MAPPED_ONCE,
  'regions, status of a name with a slash': 'its registration was no fault here',
  'statistics after a load': GOES_ON_COUNTING,
  'repository index, ready ones': REASON_ALWAYS,
  'repository index, not only ready ones': REASON_ALWAYS,
  'repository index, of a named repository over http': REASON_ALWAYS,
  'repository index, an array': 'Triton looks for `ready` in what is no object, and finds none',
  'ready over http, unloaded': 'a model that is not there is 404 at every endpoint',
  'load, a file without a configuration': 'a fault of the request; Triton blames itself',
  'load, a configuration that is no JSON': 'a fault of the request; Triton blames itself',
  'unload over http, wrong type of unload_dependents': 'Triton looks at nothing of a model that it does not know',
  'trace, level that is none': 'no level but OFF can be set, and none is taken for it',
  'trace, log frequency, negative': NO_NUMBER,
  'trace, rate, a fraction': NO_NUMBER,
  'log, after two settings, one wrong':
    'all settings of a request are changed, or none; Triton changes those before the wrong one',
  'ensemble of a decoupled step, three words': NO_SEQUENCE,
  'ensemble of a decoupled step, the final response asked for': NO_SEQUENCE,
  'ensemble of a decoupled step, generate': NO_SEQUENCE,
  'ensemble of a decoupled step, generate of two': 'Triton sends the error with status 200',
  'ensemble of a decoupled step, generate_stream': NO_SEQUENCE,
  'ensemble of two decoupled steps in a row': NO_SEQUENCE,
  'log, nothing said': 'a setting without a value stays as it is: tritonclient sends None so',
};
