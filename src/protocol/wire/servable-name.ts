import { ProtoReader } from './proto-reader.ts';

/** `model_name` (field 1, the last one counts) of a ModelInferRequest, without the rest of it; "" where it has none. */
export function servableName(inferRequest: Buffer): string {
  const reader = new ProtoReader(inferRequest);
  let name = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) name = reader.string();
    else reader.skip(tag);
  }
  return name;
}
