// How Akri names what it finds: a digest of three bytes that is part of every name.
import { blake2b } from "@noble/hashes/blake2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

const knownMax = 20_000;
/** A digest takes longer than all the rest of a look at a device that did not change. */
const known = new Map<string, string>();

function digest(text: string): string {
  const before = known.get(text);
  if (before !== undefined) return before;
  if (known.size >= knownMax) known.clear();
  const made = bytesToHex(blake2b(utf8ToBytes(text), { dkLen: 3 }));
  known.set(text, made);
  return made;
}

/** Of a device that several nodes see, its id; of one that only its node sees, id and node. */
export function deviceHash(id: string, { shared, node }: { shared: boolean; node: string }) {
  return digest(shared ? id : `${id}${node}`);
}
