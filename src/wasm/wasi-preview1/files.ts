// fd_*: reading and writing, positions, sizes, and the descriptors themselves.
import { FileError } from "../files/file-error.ts";
import type { Calls, Host } from "./guest.ts";

const whences = ["set", "current", "end"] as const;

/** One piece after the other, until one comes back short. */
function inPieces(pieces: Uint8Array[], move: (piece: Uint8Array, done: number) => number): number {
  let total = 0;
  for (const piece of pieces) {
    if (piece.length === 0) continue;
    const count = move(piece, total);
    total += count;
    if (count < piece.length) break;
  }
  return total;
}

function positionCalls({ memory, descriptors }: Host): Calls {
  return {
    fd_seek(fd: number, offset: bigint, whence: number, result: number) {
      const from = whences[whence];
      if (!from) throw new FileError("EINVAL");
      memory.u64(result, descriptors.file(fd).seek(offset, from));
    },
    fd_tell(fd: number, result: number) {
      memory.u64(result, descriptors.file(fd).seek(0n, "current"));
    },
    fd_allocate() {
      throw new FileError("ENOTSUP");
    },
    fd_advise(fd: number) {
      descriptors.file(fd);
    },
    fd_sync: (fd: number) => descriptors.file(fd).sync(false),
    fd_datasync: (fd: number) => descriptors.file(fd).sync(true),
    fd_close: (fd: number) => descriptors.close(fd),
    fd_renumber: (from: number, to: number) => descriptors.renumber(from, to),
  };
}

export function fileCalls(host: Host): Calls {
  const { memory, descriptors } = host;
  /** The pieces one after the other, from a place on. */
  const at =
    (move: "read" | "write") =>
    (fd: number, vectors: number, count: number, offset: bigint, result: number) => {
      const file = descriptors.file(fd);
      if (!file.isSeekable) throw new FileError("ESPIPE");
      const begin = BigInt.asUintN(64, offset);
      const pieces = memory.vectors(vectors, count);
      memory.u32(
        result,
        inPieces(pieces, (piece, done) => file[move](piece, begin + BigInt(done))),
      );
    };
  return {
    ...positionCalls(host),
    fd_read(fd: number, vectors: number, count: number, result: number) {
      const file = descriptors.file(fd);
      // A stream gives what there is; waiting for more would be a wait for ever.
      const all = memory.vectors(vectors, count).filter(({ length }) => length > 0);
      const pieces = file.isSeekable ? all : all.slice(0, 1);
      memory.u32(
        result,
        inPieces(pieces, (piece) => file.read(piece)),
      );
    },
    fd_write(fd: number, vectors: number, count: number, result: number) {
      const file = descriptors.file(fd);
      const pieces = memory.vectors(vectors, count);
      memory.u32(
        result,
        inPieces(pieces, (piece) => file.write(piece)),
      );
    },
    fd_pread: at("read"),
    fd_pwrite: at("write"),
  };
}
