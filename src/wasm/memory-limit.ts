// A core module whose memories grow no further than a limit, which V8 keeps since it stands in the module as their own.
// V8 has a flag for it too, but to set that in a runner that waited takes 0.8 MiB of Node's more. Pure.
import { limitFlags, pageBytes, preambleBytes, Reader, sectionIds } from "./module-sections.ts";

/** Unsigned LEB128. */
function numberBytes(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

function limitedSection(section: Reader, pages: number): number[] {
  const count = section.number();
  const memories = Array.from({ length: count }, () => {
    const { flags, minPages, maxPages } = section.limits();
    const max = Math.min(maxPages, pages);
    return [flags | limitFlags.hasMaximum, ...numberBytes(minPages), ...numberBytes(max)];
  });
  return [...numberBytes(count), ...memories.flat()];
}

/** `memoryBytes` undefined: no limit. */
export function withMemoryLimit(bytes: Uint8Array, memoryBytes: number | undefined): Uint8Array {
  if (memoryBytes === undefined) return bytes;
  const file = new Reader(bytes, preambleBytes, bytes.length);
  while (file.at < file.end) {
    const begin = file.at;
    const id = file.byte();
    const section = file.part(file.number());
    if (id !== sectionIds.memory) continue;
    const limited = limitedSection(section, Math.floor(memoryBytes / pageBytes));
    const head = Uint8Array.from([id, ...numberBytes(limited.length), ...limited]);
    return Buffer.concat([bytes.subarray(0, begin), head, bytes.subarray(file.at)]);
  }
  return bytes;
}
