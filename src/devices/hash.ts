// How Akri names what it finds: a digest of three bytes that is part of every name.
import { blake2b } from "@noble/hashes/blake2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

/** Of a device that several nodes see, its id; of one that only its node sees, id and node. */
export function deviceHash(id: string, { shared, node }: { shared: boolean; node: string }) {
  return bytesToHex(blake2b(utf8ToBytes(shared ? id : `${id}${node}`), { dkLen: 3 }));
}
