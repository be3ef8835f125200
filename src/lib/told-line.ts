// What a process that waited is told: a line of JSON by a descriptor, or where a longer one lies. Nothing else happens
// in the process meanwhile.
import { readFileSync, readSync } from "node:fs";

const pieceBytes = 65_536;
const newline = 0x0a;

export function toldLine<T extends object>(fd: number): T {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = Buffer.alloc(pieceBytes);
    const count = readSync(fd, piece);
    pieces.push(piece.subarray(0, count));
    if (count === 0 || piece[count - 1] === newline) break;
  }
  const told = JSON.parse(Buffer.concat(pieces).toString()) as T & { elsewhere?: string };
  return told.elsewhere ? (JSON.parse(readFileSync(told.elsewhere, "utf8")) as T) : told;
}
