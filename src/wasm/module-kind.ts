/**
 * What the bytes of a WebAssembly image are, judged by the bytes and never by the media type:
 * registries and builders name both kinds alike.
 */
export type ModuleKind = "core" | "component";

export const preambleBytes = 8;
const magic = 0x0061736d;

/** The kind of module, or undefined where the bytes are no WebAssembly that is known. */
export function moduleKind(bytes: Uint8Array): ModuleKind | undefined {
  if (bytes.length < preambleBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, preambleBytes);
  if (view.getUint32(0) !== magic) return undefined;
  const version = view.getUint16(4, true);
  const layer = view.getUint16(6, true);
  if (version === 1 && layer === 0) return "core";
  if (version === 0x0d && layer === 1) return "component";
  return undefined;
}
