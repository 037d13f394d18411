/**
 * Sets a key of a record whose names others choose. "__proto__" becomes a key like any other; defining all of them would cost ten
 * times as much.
 */
export function setOwn<Value>(record: Record<string, Value>, key: string, value: Value): void {
  if (key === '__proto__')
    Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
  else record[key] = value;
}
