// Reads of a core module what must be known before it runs: imports, exports and memory. Its code is left
// to V8. Pure.
export const sectionIds = { import: 2, memory: 5, export: 7 };
export const preambleBytes = 8;
export const limitFlags = { hasMaximum: 1, is64: 4 };
export const pageBytes = 65_536;

export interface ModuleSections {
  imports: { module: string; name: string; kind: number }[];
  exports: { name: string; kind: number }[];
  memories: { minPages: number; is64: boolean }[];
}

export class ModuleError extends Error {}

export class Reader {
  readonly #bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw new ModuleError("is truncated");
    return this.#bytes[this.at++]!;
  }

  /** Unsigned LEB128. */
  number(): number {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if ((byte & 0x80) === 0) return value;
      factor *= 128;
      if (factor > 2 ** 63) throw new ModuleError("holds a number without end");
    }
  }

  part(length: number): Reader {
    if (this.at + length > this.end) {
      throw new ModuleError(
        `is truncated: ${this.at + length - this.end} bytes are missing at its end`,
      );
    }
    const part = new Reader(this.#bytes, this.at, this.at + length);
    this.at += length;
    return part;
  }

  name(): string {
    const { at, end } = this.part(this.number());
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at, end - at).toString();
  }

  limits() {
    const flags = this.byte();
    const minPages = this.number();
    const maxPages = flags & limitFlags.hasMaximum ? this.number() : Infinity;
    return { flags, minPages, maxPages, is64: (flags & limitFlags.is64) !== 0 };
  }
}

/** What stands behind an import's kind; a memory's limits are given back. */
function importType(section: Reader, kind: number) {
  if (kind === 0) section.number();
  else if (kind === 1) {
    section.byte();
    section.limits();
  } else if (kind === 2) return section.limits();
  else if (kind === 3) section.part(2);
  else if (kind === 4) {
    section.byte();
    section.number();
  } else throw new ModuleError(`imports something of the unknown kind ${kind}`);
  return undefined;
}

const readers: Record<number, (section: Reader, into: ModuleSections) => void> = {
  [sectionIds.import]: (section, { imports, memories }) => {
    const one = { module: section.name(), name: section.name(), kind: section.byte() };
    imports.push(one);
    const memory = importType(section, one.kind);
    if (memory) memories.push(memory);
  },
  [sectionIds.memory]: (section, { memories }) => void memories.push(section.limits()),
  [sectionIds.export]: (section, { exports }) => {
    exports.push({ name: section.name(), kind: section.byte() });
    section.number();
  },
};

/** Of a core module's bytes. Throws ModuleErrors that go on where "the module" ends. */
export function sectionsOf(bytes: Uint8Array): ModuleSections {
  const found: ModuleSections = { imports: [], exports: [], memories: [] };
  const file = new Reader(bytes, preambleBytes, bytes.length);
  while (file.at < file.end) {
    const id = file.byte();
    const section = file.part(file.number());
    const read = readers[id];
    if (!read) continue;
    for (let count = section.number(); count > 0; count--) read(section, found);
  }
  return found;
}
