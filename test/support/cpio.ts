// Writes an initramfs (cpio, "newc") in memory.
export interface CpioEntry {
  path: string;
  data?: Buffer;
  mode: number;
}

const padded = (part: Buffer) => Buffer.concat([part, Buffer.alloc((4 - (part.length % 4)) % 4)]);

function entryOf({ path, data = Buffer.alloc(0), mode }: CpioEntry, inode: number): Buffer {
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, path.length + 1, 0];
  const header = fields.map((value) => value.toString(16).padStart(8, "0")).join("");
  return Buffer.concat([padded(Buffer.from(`070701${header}${path}\0`)), padded(data)]);
}

export function cpio(entries: CpioEntry[]): Buffer {
  const end: CpioEntry = { path: "TRAILER!!!", mode: 0 };
  return Buffer.concat([...entries, end].map((entry, i) => entryOf(entry, i + 1)));
}
