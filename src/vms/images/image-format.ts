// What a disk image says of itself in its first bytes. Whoever made the image may be hostile: an image that
// names other files is refused, whatever it is for.
import { badRequest } from "../../lib/status-error.ts";

export interface ImageFacts {
  format: "raw" | "qcow2";
  /** What a guest sees; of a raw image, its length. */
  virtualBytes?: number;
}

/** So much of an image's beginning is needed. */
export const imageHeaderBytes = 112;

const others: [name: string, at: number, magic: string][] = [
  ["VMDK", 0, "KDMV"],
  ["VMDK", 0, "COWD"],
  ["VMDK", 0, "# Disk DescriptorFile"],
  ["VHDX", 0, "vhdxfile"],
  ["VHD", 0, "conectix"],
  ["QED", 0, "QED\0"],
  ["Parallels", 0, "WithoutFreeSpace"],
  ["VDI", 64, "\x7f\x10\xda\xbe"],
];

const qcowMagic = Buffer.from("QFI\xfb", "latin1");
/** Dirty and corrupt images are QEMU's to judge; the rest changes what the file means. */
const dirty = 1n;
const externalData = 4n;
const compression = 8n;
const extendedL2 = 16n;
const known = dirty | externalData | compression | extendedL2;
const virtualBytesMax = 2n ** 46n;

function qcow2Facts(header: Buffer): ImageFacts {
  const version = header.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw badRequest(`qcow version ${version} is not supported`);
  if (header.readBigUInt64BE(8) !== 0n) {
    throw badRequest("the image has a backing file; images may not name other files");
  }
  if (header.readUInt32BE(32) !== 0) throw badRequest("the image is encrypted");
  const features = version === 3 && header.length >= 80 ? header.readBigUInt64BE(72) : 0n;
  if (features & externalData) {
    throw badRequest("the image has its data in another file; images may not name other files");
  }
  if (features & ~known) throw badRequest("the image has features that are not known");
  const clusterBits = header.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) throw badRequest("the image's clusters make no sense");
  const size = header.readBigUInt64BE(24);
  if (size > virtualBytesMax) throw badRequest(`the image says that it has ${size} bytes`);
  return { format: "qcow2", virtualBytes: Number(size) };
}

/** Throws BadRequest for what is not taken. A header shorter than `imageHeaderBytes` is a short raw image. */
export function imageFacts(header: Buffer): ImageFacts {
  if (header.length >= 72 && header.subarray(0, 4).equals(qcowMagic)) return qcow2Facts(header);
  for (const [name, at, magic] of others) {
    const found = header.subarray(at, at + magic.length);
    if (found.equals(Buffer.from(magic, "latin1"))) {
      throw badRequest(`the image is a ${name}; only raw and qcow2 images are disks`);
    }
  }
  return { format: "raw" };
}
