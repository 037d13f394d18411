import { get, post, rpc, type Case } from './case.ts';
import { OBJECT_KEY, PART_KEY, SPARE_KEY, WEB_KEY } from './shared-object.ts';

/*
 * More of system shared memory: several regions, and what may be wrong with them. Each object holds FP32 1 and 2, a BYTES element
 * "word" at byte 16 and zeros. The last exchange takes all regions back.
 */

const value = (kind: string, given: unknown): object => ({ [`${kind}_param`]: given });
const register = (name: string, region: object): Case =>
  rpc(`regions, ${name}`, 'SystemSharedMemoryRegister', { key: OBJECT_KEY, offset: 0, byte_size: 64, ...region });
const place = (region: string, bytes: number, offset?: number): object => ({
  shared_memory_region: value('string', region),
  shared_memory_byte_size: value('int64', bytes),
  ...(offset === undefined ? {} : { shared_memory_offset: value('int64', offset) }),
});

interface Tensors {
  readonly input?: object;
  readonly output?: object;
  readonly raw?: readonly Buffer[];
  readonly shape?: readonly number[];
}
const infer = (name: string, { input, output, raw = [], shape = [2] }: Tensors): Case =>
  rpc(`regions, ${name}`, 'ModelInfer', {
    model_name: 'identity',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape, ...(input && { parameters: input }) }],
    outputs: output === undefined ? [] : [{ name: 'OUTPUT0', parameters: output }],
    raw_input_contents: raw,
  });
const prompt = { name: 'prompt', datatype: 'BYTES', shape: [1] };
const word = (bytes: number): object => ({ ...prompt, parameters: place('whole', bytes, 16) });
const JSON_INPUT = '"name":"INPUT0","datatype":"FP32","shape":[2]';
const http = (name: string, input: string, output = ''): Case =>
  post(
    `regions over http, ${name}`,
    '/v2/models/identity/infer',
    `{"inputs":[{${JSON_INPUT},${input}}]${output === '' ? '' : `,"outputs":[{"name":"OUTPUT0","parameters":${output}}]`}}`,
  );
const httpRegister = (name: string, region: string, body: string): Case =>
  post(`regions over http, ${name}`, `/v2/systemsharedmemory/region/${region}/register`, body);

const REGISTER: readonly Case[] = [
  register('register the whole', { name: 'whole' }),
  register('register a part', { name: 'part', key: PART_KEY, byte_size: 16 }),
  register('register the same object by another name', { name: 'twin' }),
  register('register from the middle of a page on', { name: 'middle', key: SPARE_KEY, offset: 8, byte_size: 16 }),
  register('register a name twice, another part', { name: 'part', key: SPARE_KEY, byte_size: 8 }),
  register('register without a name', { name: '', key: SPARE_KEY }),
  register('register nothing', { name: 'nothing', key: SPARE_KEY, byte_size: 0 }),
  register('register with an offset beyond the object', { name: 'far', key: SPARE_KEY, offset: 65, byte_size: 1 }),
  register('register one byte too many behind an offset', { name: 'long', key: SPARE_KEY, offset: 8, byte_size: 57 }),
  register('register the greatest size', { name: 'huge', key: SPARE_KEY, byte_size: '18446744073709551615' }),
  register('register a sum that overflows', {
    name: 'over',
    key: SPARE_KEY,
    offset: '18446744073709551615',
    byte_size: 2,
  }),
  register('register a key with many slashes', { name: 'slashes', key: `//${WEB_KEY}` }),
  rpc('regions, unregister the one with slashes', 'SystemSharedMemoryUnregister', { name: 'slashes' }),
  register('register a key without a slash', { name: 'bare', key: WEB_KEY.slice(1) }),
  register("register a key of Triton's own", { name: 'own', key: '/triton_python_backend_shm_region_1' }),
  register('register a name with a slash', { name: 'a/b', key: SPARE_KEY, byte_size: 8 }),
  rpc('regions, unregister the one without a slash', 'SystemSharedMemoryUnregister', { name: 'bare' }),
  rpc('regions, status of the part', 'SystemSharedMemoryStatus', { name: 'part' }),
  rpc('regions, status of a name with a slash', 'SystemSharedMemoryStatus', { name: 'a/b' }),
];

const INFER: readonly Case[] = [
  infer('infer from the part', { input: place('part', 8) }),
  infer('infer beyond the part', { input: place('part', 8, 12) }),
  infer('infer with the offset at the end of the part', { input: place('part', 8, 16) }),
  infer('infer the last bytes of the part', { input: place('part', 8, 8) }),
  infer('infer no byte', { input: place('part', 0), shape: [0] }),
  infer('infer with an offset of a wrong type', {
    input: { ...place('part', 8), shared_memory_offset: value('string', '0') },
  }),
  infer('infer with a size of a wrong type', {
    input: { shared_memory_region: value('string', 'part'), shared_memory_byte_size: value('string', '8') },
  }),
  infer('infer with a region of a wrong type', {
    input: { shared_memory_region: value('int64', 1), shared_memory_byte_size: value('int64', 8) },
  }),
  infer('infer with a negative size', { input: place('part', -8) }),
  infer('infer with a size that overflows', { input: place('part', Number.MAX_SAFE_INTEGER, 8) }),
  infer('infer with only an offset', { input: { shared_memory_offset: value('int64', 0) } }),
  infer('infer into the part', { input: place('whole', 8), output: place('part', 8, 8) }),
  infer('infer what was written there', { input: place('whole', 8, 16) }),
  infer('infer into a place larger than the output', { input: place('whole', 8), output: place('part', 16) }),
  infer('infer into a place beyond the part', { input: place('whole', 8), output: place('part', 8, 12) }),
  infer('infer into no size', { input: place('whole', 8), output: { shared_memory_region: value('string', 'part') } }),
  infer('infer into where it comes from', { input: place('whole', 8), output: place('whole', 8) }),
  infer('infer classes into a region', {
    input: place('whole', 8),
    output: { ...place('whole', 8), classification: value('int64', 1) },
  }),
  infer('infer with a wrong shape', { input: place('whole', 8), shape: [1, 2] }),
  infer('infer with a shape for more bytes', { input: place('whole', 8), shape: [3] }),
];

/** In the object: 4 bytes of length at byte 16, and "word". */
const TEXTS: readonly Case[] = [
  rpc('regions, put a text there', 'ModelInfer', {
    model_name: 'identity',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [2] }],
    raw_input_contents: [Buffer.from('04000000776f7264', 'hex')],
    outputs: [{ name: 'OUTPUT0', parameters: place('whole', 8, 16) }],
  }),
  {
    kind: 'stream',
    name: 'regions, a text in a stream',
    requests: [],
    messages: [{ model_name: 'words', id: '1', inputs: [word(8)] }],
  },
  {
    kind: 'stream',
    name: 'regions, a text of a size too large in a stream',
    requests: [],
    messages: [{ model_name: 'words', id: '1', inputs: [word(12)] }],
  },
  {
    kind: 'stream',
    name: 'regions, a plain model in a stream, an unknown region between',
    requests: [],
    messages: ['whole', 'nobody', 'part'].map((region) => ({
      model_name: 'identity',
      id: region,
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [2], parameters: place(region, 8) }],
    })),
    interleaved: true,
  },
];

const HTTP: readonly Case[] = [
  httpRegister('register twice', 'whole', `{"key":"${OBJECT_KEY}","byte_size":64}`),
  httpRegister('register, malformed', 'q', '{'),
  httpRegister('register, no body', 'q', ''),
  httpRegister('register, negative offset', 'q', `{"key":"${WEB_KEY}","offset":-1,"byte_size":8}`),
  httpRegister('register, text for a size', 'q', `{"key":"${WEB_KEY}","byte_size":"8"}`),
  httpRegister('register, number for a key', 'q', '{"key":1,"byte_size":8}'),
  httpRegister('register, no such object', 'q', '{"key":"/nobody-has-this","byte_size":8}'),
  httpRegister('register, beyond the object', 'q', `{"key":"${WEB_KEY}","byte_size":65}`),
  httpRegister('register', 'web', `{"key":"${WEB_KEY}","byte_size":8}`),
  get('regions over http, status of it', '/v2/systemsharedmemory/region/web/status'),
  http(
    'infer with data, too',
    '"data":[1,2],"parameters":{"shared_memory_region":"whole","shared_memory_byte_size":8}',
  ),
  http('infer into an unknown region', '"data":[1,2]', '{"shared_memory_region":"nobody","shared_memory_byte_size":8}'),
  http('infer into a place too small', '"data":[1,2]', '{"shared_memory_region":"web","shared_memory_byte_size":4}'),
  http('infer into no size', '"data":[1,2]', '{"shared_memory_region":"web"}'),
  http(
    'infer with an offset that is no number',
    '"parameters":{"shared_memory_region":"whole","shared_memory_byte_size":8,"shared_memory_offset":"0"}',
  ),
  http(
    'infer beyond the region',
    '"parameters":{"shared_memory_region":"web","shared_memory_byte_size":8,"shared_memory_offset":1}',
  ),
  http('infer into a region', '"data":[5,6]', '{"shared_memory_region":"web","shared_memory_byte_size":8}'),
  http('infer what was written there', '"parameters":{"shared_memory_region":"web","shared_memory_byte_size":8}'),
  post('regions over http, unregister', '/v2/systemsharedmemory/region/web/unregister'),
  post('regions over http, unregister again', '/v2/systemsharedmemory/region/web/unregister'),
  http('infer from what is unregistered', '"parameters":{"shared_memory_region":"web","shared_memory_byte_size":8}'),
  get('regions over http, wrong verb', '/v2/systemsharedmemory/region/web/register'),
  rpc('regions, unregister all', 'SystemSharedMemoryUnregister'),
  rpc('regions, none is left', 'SystemSharedMemoryStatus'),
];

export const REGION_CASES: readonly Case[] = [...REGISTER, ...INFER, ...TEXTS, ...HTTP];
