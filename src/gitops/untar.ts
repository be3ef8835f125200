// Reads tar archives (ustar, with pax paths and GNU long names) in memory. Pure.

export interface TarFile {
  path: string;
  data: Uint8Array;
}

export class DamagedTar extends Error {}

const blockBytes = 512;

const text = (bytes: Uint8Array, at: number, length: number) => {
  const end = bytes.indexOf(0, at);
  return Buffer.from(
    bytes.subarray(at, end < 0 ? at + length : Math.min(end, at + length)),
  ).toString();
};

function sizeOf(header: Uint8Array): number {
  const size = Number.parseInt(text(header, 124, 12).trim() || "0", 8);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new DamagedTar("a file's size cannot be read");
}

/** `path` of the records `LENGTH KEY=VALUE\n`. */
function paxPath(records: Uint8Array): string | undefined {
  let found: string | undefined;
  let at = 0;
  const all = Buffer.from(records);
  while (at < all.length) {
    const length = Number.parseInt(all.toString("latin1", at, at + 12), 10);
    if (!(length > 0)) return found;
    const [, key, value] =
      /^\d+ ([^=]+)=(.*)\n$/s.exec(all.toString("utf8", at, at + length)) ?? [];
    if (key === "path") found = value;
    at += length;
  }
  return found;
}

/** Regular files only. */
export function* untar(archive: Uint8Array): Generator<TarFile> {
  let named: string | undefined;
  for (let at = 0; at + blockBytes <= archive.length;) {
    const header = archive.subarray(at, at + blockBytes);
    if (header.every((byte) => byte === 0)) return;
    const size = sizeOf(header);
    const data = archive.subarray(at + blockBytes, at + blockBytes + size);
    if (data.length < size) throw new DamagedTar("it is cut short");
    at += blockBytes + Math.ceil(size / blockBytes) * blockBytes;
    const type = String.fromCharCode(header[156]!);
    if (type === "x") named = paxPath(data) ?? named;
    else if (type === "L") named = text(data, 0, size);
    else if (type !== "g") {
      const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
      const name = text(header, 0, 100);
      const path = named ?? (prefix ? `${prefix}/${name}` : name);
      named = undefined;
      if (type === "0" || type === "\0") yield { path, data };
    }
  }
  throw new DamagedTar("it is cut short");
}
