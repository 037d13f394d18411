/** Bytes that a packet's value keeps in memory, as far as they are the data of tensors, images, requests and responses. */
export function packetBytes(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((bytes: number, item) => bytes + packetBytes(item), 0);
  if (value === null || typeof value !== 'object') return 0;
  const { data, inputs, outputs } = value as { data?: unknown; inputs?: unknown; outputs?: unknown };
  if (ArrayBuffer.isView(data)) return data.byteLength;
  return packetBytes(inputs ?? outputs ?? undefined);
}
