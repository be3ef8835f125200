// A disk that firmware starts from: a file system (FAT16, without partitions) with one program at the place where UEFI
// looks for it.
const sectorBytes = 512;
const clusterSectors = 4;
const clusterBytes = sectorBytes * clusterSectors;
const rootEntries = 512;
const sectors = 65_536;
const fatSectors = 64;
const reserved = 1;
const rootSector = reserved + fatSectors;
const dataSector = rootSector + (rootEntries * 32) / sectorBytes;
const last = 0xffff;

function entry(name: string, attributes: number, cluster: number, bytes = 0): Buffer {
  const made = Buffer.alloc(32);
  made.write(name.padEnd(11), "latin1");
  made[11] = attributes;
  made.writeUInt16LE(cluster, 26);
  made.writeUInt32LE(bytes, 28);
  return made;
}

const isFolder = 0x10;
const isFile = 0x20;

function header(): Buffer {
  const made = Buffer.alloc(sectorBytes);
  made.set([0xeb, 0x3c, 0x90]);
  made.write("MSDOS5.0", 3, "latin1");
  made.writeUInt16LE(sectorBytes, 11);
  made[13] = clusterSectors;
  made.writeUInt16LE(reserved, 14);
  made[16] = 1;
  made.writeUInt16LE(rootEntries, 17);
  made[21] = 0xf8;
  made.writeUInt16LE(fatSectors, 22);
  made.writeUInt32LE(sectors, 32);
  made[38] = 0x29;
  made.write("FAT16   ", 54, "latin1");
  made.writeUInt16LE(0xaa55, 510);
  return made;
}

/** Clusters 2 and 3 are the folders EFI and BOOT; the program follows. */
export function bootDisk(program: Buffer): Buffer {
  const disk = Buffer.alloc(sectors * sectorBytes);
  header().copy(disk);
  const count = Math.ceil(program.length / clusterBytes);
  const chain = Array.from({ length: count }, (_, i) => (i === count - 1 ? last : 5 + i));
  [0xfff8, last, last, last, ...chain].forEach((next, i) => {
    disk.writeUInt16LE(next, reserved * sectorBytes + i * 2);
  });
  const clusterAt = (n: number) => dataSector * sectorBytes + (n - 2) * clusterBytes;
  entry("EFI", isFolder, 2).copy(disk, rootSector * sectorBytes);
  const folder = (own: number, parent: number, inner: Buffer) =>
    Buffer.concat([entry(".", isFolder, own), entry("..", isFolder, parent), inner]);
  folder(2, 0, entry("BOOT", isFolder, 3)).copy(disk, clusterAt(2));
  const file = entry("BOOTX64 EFI", isFile, 4, program.length);
  folder(3, 2, file).copy(disk, clusterAt(3));
  program.copy(disk, clusterAt(4));
  return disk;
}
