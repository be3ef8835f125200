// Stored bytes are shared by every reader, and so is their parsed form: twenty informers that watch the
// same pods parse each of them once. The cache holds the parsed form weakly: it lives as long as some
// reader keeps it. Readers treat it as frozen.

const parsed = new WeakMap<Uint8Array, WeakRef<object>>();

/** The object in `bytes` (whole JSON); the same object for the same buffer while anyone holds it. */
export function parseShared<T extends object = any>(bytes: Uint8Array): T {
  const known = parsed.get(bytes)?.deref();
  if (known) return known as T;
  const object = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  parsed.set(bytes, new WeakRef(object));
  return object;
}

/** Tells the cache what `bytes` parse to, when the writer has the object at hand. */
export function rememberParsed(bytes: Uint8Array, object: object) {
  parsed.set(bytes, new WeakRef(object));
}
