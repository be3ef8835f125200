// Writes tar archives (ustar) in memory: enough for the small images Kerb makes itself.

export interface TarEntry {
  path: string;
  data?: Buffer;
  mode?: number;
  type?: "file" | "directory" | "symlink";
  link?: string;
}

const blockBytes = 512;
const typeFlags = { file: "0", directory: "5", symlink: "2" } as const;

function headerOf(entry: TarEntry, size: number): Buffer {
  const header = Buffer.alloc(blockBytes);
  if (Buffer.byteLength(entry.path) > 100) throw new Error(`path too long for tar: ${entry.path}`);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  header.write(entry.path, 0);
  octal(entry.mode ?? (entry.type === "directory" ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.write("        ", 148);
  header.write(typeFlags[entry.type ?? "file"], 156);
  header.write(entry.link ?? "", 157);
  header.write("ustar\0" + "00", 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return header;
}

export function tar(entries: TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const data = entry.data ?? Buffer.alloc(0);
    parts.push(headerOf(entry, data.length), data);
    parts.push(Buffer.alloc((blockBytes - (data.length % blockBytes)) % blockBytes));
  }
  parts.push(Buffer.alloc(2 * blockBytes));
  return Buffer.concat(parts);
}
