// Small read-only disks for guests: ISO 9660 with Joliet names (ECMA-119), as cloud-init looks for them. Pure.
import { badRequest } from "../../lib/status-error.ts";

/** Path, with slashes, to content. */
export type IsoFiles = Map<string, Buffer>;

const sectorBytes = 2048;
const nameLengthMax = 100;
/** Files of a ConfigMap or of cloud-init: they lie in memory while the disk is made. */
const contentBytesMax = 64 * 2 ** 20;

interface Folder {
  name: string;
  folders: Map<string, Folder>;
  files: { name: string; data: Buffer; at: number }[];
  parent?: Folder;
  /** First sector and sectors of its records, plain and Joliet. */
  at: [number, number];
  sectors: [number, number];
}

const both16 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(value, 0);
  bytes.writeUInt16BE(value, 2);
  return bytes;
};
const both32 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32BE(value, 4);
  return bytes;
};

const wide = (text: string) => Buffer.from(text, "utf16le").swap16();
const sectorsFor = (bytes: number) => Math.max(1, Math.ceil(bytes / sectorBytes));

type Flavour = 0 | 1;

interface Entry {
  name: Buffer;
  at: number;
  bytes: number;
  isFolder: boolean;
}

function record({ name, at, bytes, isFolder }: Entry): Buffer {
  const length = 33 + name.length + (name.length % 2 === 0 ? 1 : 0);
  const out = Buffer.alloc(length);
  out[0] = length;
  both32(at).copy(out, 2);
  both32(bytes).copy(out, 10);
  // 1 January 1980: the same content is the same disk.
  Buffer.from([80, 1, 1, 0, 0, 0, 0]).copy(out, 18);
  out[25] = isFolder ? 2 : 0;
  both16(1).copy(out, 28);
  out[32] = name.length;
  name.copy(out, 33);
  return out;
}

/** Records do not cross sectors. */
function packed(records: Buffer[]): Buffer {
  const parts: Buffer[] = [];
  let used = 0;
  for (const one of records) {
    const left = sectorBytes - (used % sectorBytes);
    if (one.length > left) {
      parts.push(Buffer.alloc(left));
      used += left;
    }
    parts.push(one);
    used += one.length;
  }
  const whole = Buffer.concat(parts);
  return Buffer.concat([whole], sectorsFor(whole.length) * sectorBytes);
}

const plainName = (i: number, isFolder: boolean) =>
  Buffer.from(isFolder ? `D${String(i).padStart(7, "0")}` : `F${String(i).padStart(7, "0")}.;1`);

function recordsOf(folder: Folder, flavour: Flavour): Buffer {
  const self = (of: Folder, mark: number): Entry => ({
    name: Buffer.from([mark]),
    at: of.at[flavour],
    bytes: of.sectors[flavour] * sectorBytes,
    isFolder: true,
  });
  const named = (name: string, i: number, isFolder: boolean) =>
    flavour === 1 ? wide(isFolder ? name : `${name};1`) : plainName(i, isFolder);
  const children: Entry[] = [
    ...[...folder.folders.values()].map((one, i) => ({
      ...self(one, 0),
      name: named(one.name, i, true),
    })),
    ...folder.files.map(({ name, data, at }, i) => ({
      name: named(name, i, false),
      at,
      bytes: data.length,
      isFolder: false,
    })),
  ];
  children.sort((a, b) => Buffer.compare(a.name, b.name));
  const all = [self(folder, 0), self(folder.parent ?? folder, 1), ...children];
  return packed(all.map(record));
}

function insert(root: Folder, path: string, data: Buffer) {
  const parts = path.split("/");
  let folder = root;
  for (const [i, name] of parts.entries()) {
    if (!name || name.length > nameLengthMax) {
      throw badRequest(`${JSON.stringify(path)} cannot be the name of a file on a disk`);
    }
    if (i === parts.length - 1) folder.files.push({ name, data, at: 0 });
    else {
      const next = folder.folders.get(name) ?? newFolder(name, folder);
      folder.folders.set(name, next);
      folder = next;
    }
  }
}

const newFolder = (name: string, parent?: Folder): Folder => ({
  name,
  folders: new Map(),
  files: [],
  at: [0, 0],
  sectors: [1, 1],
  ...(parent && { parent }),
});

/** Breadth first, as path tables want it. */
function allFolders(root: Folder): Folder[] {
  const found = [root];
  for (const folder of found) found.push(...folder.folders.values());
  return found;
}

function pathTable(folders: Folder[], flavour: Flavour, isBig: boolean): Buffer {
  const rows = folders.map((folder, i) => {
    const name = !folder.parent
      ? Buffer.from([0])
      : flavour === 1
        ? wide(folder.name)
        : plainName([...folder.parent.folders.values()].indexOf(folder), true);
    const row = Buffer.alloc(8 + name.length + (name.length % 2));
    const parent = folder.parent ? folders.indexOf(folder.parent) + 1 : i + 1;
    row[0] = name.length;
    if (isBig) {
      row.writeUInt32BE(folder.at[flavour], 2);
      row.writeUInt16BE(parent, 6);
    } else {
      row.writeUInt32LE(folder.at[flavour], 2);
      row.writeUInt16LE(parent, 6);
    }
    name.copy(row, 8);
    return row;
  });
  return Buffer.concat(rows);
}

interface Volume {
  flavour: Flavour;
  label: string;
  root: Folder;
  sectors: number;
  tableBytes: number;
  tables: [little: number, big: number];
}

function descriptor({ flavour, label, root, sectors, tableBytes, tables }: Volume): Buffer {
  const out = Buffer.alloc(sectorBytes);
  const text = (value: string, at: number, length: number) => {
    const bytes = flavour === 1 ? wide(value) : Buffer.from(value, "latin1");
    const filler = flavour === 1 ? wide(" ".repeat(length / 2)) : Buffer.alloc(length, 0x20);
    filler.copy(out, at, 0, length - (flavour === 1 ? length % 2 : 0));
    bytes.copy(out, at, 0, Math.min(bytes.length, length));
  };
  out[0] = flavour === 1 ? 2 : 1;
  out.write("CD001\x01", 1, "latin1");
  text("", 8, 32);
  text(label, 40, 32);
  both32(sectors).copy(out, 80);
  if (flavour === 1) out.write("%/E", 88, "latin1");
  both16(1).copy(out, 120);
  both16(1).copy(out, 124);
  both16(sectorBytes).copy(out, 128);
  both32(tableBytes).copy(out, 132);
  out.writeUInt32LE(tables[0], 140);
  out.writeUInt32BE(tables[1], 148);
  const bytes = root.sectors[flavour] * sectorBytes;
  record({ name: Buffer.from([0]), at: root.at[flavour], bytes, isFolder: true }).copy(out, 156);
  for (const [at, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 36],
    [740, 36],
    [776, 36],
  ] as const) {
    text("", at, length);
  }
  for (const at of [813, 830, 847, 864]) out.write("0".repeat(16), at, "latin1");
  out[881] = 1;
  return out;
}

/** The whole disk. Throws BadRequest for names that no disk has, and for too much content. */
export function iso9660(files: IsoFiles, label: string): Buffer {
  const root = newFolder("");
  let content = 0;
  for (const [path, data] of files) {
    insert(root, path, data);
    content += data.length;
  }
  if (content > contentBytesMax) throw badRequest("the files are too large for a disk of files");
  const folders = allFolders(root);
  const flavours: Flavour[] = [0, 1];
  const tableSectors = flavours.map((f) => sectorsFor(pathTable(folders, f, false).length));
  let next = 16 + 3;
  const tables = flavours.map((flavour): [number, number] => {
    const at: [number, number] = [next, next + tableSectors[flavour]!];
    next += 2 * tableSectors[flavour]!;
    return at;
  });
  for (const flavour of flavours) {
    for (const folder of folders) {
      // The records' lengths do not hang on where they point.
      folder.sectors[flavour] = recordsOf(folder, flavour).length / sectorBytes;
      folder.at[flavour] = next;
      next += folder.sectors[flavour];
    }
  }
  const all = folders.flatMap((folder) => folder.files);
  for (const file of all) {
    file.at = next;
    next += sectorsFor(file.data.length);
  }
  const disk = Buffer.alloc(next * sectorBytes);
  const put = (data: Buffer, sector: number) => data.copy(disk, sector * sectorBytes);
  for (const flavour of flavours) {
    const little = pathTable(folders, flavour, false);
    const volume = { flavour, label, root, sectors: next, tableBytes: little.length };
    put(descriptor({ ...volume, tables: tables[flavour]! }), 16 + flavour);
    put(little, tables[flavour]![0]);
    put(pathTable(folders, flavour, true), tables[flavour]![1]);
    for (const folder of folders) put(recordsOf(folder, flavour), folder.at[flavour]);
  }
  put(Buffer.from("\xffCD001\x01", "latin1"), 18);
  for (const { data, at } of all) put(data, at);
  return disk;
}
