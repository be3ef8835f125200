// What a manifest says about WebAssembly, in every way that builders have said it. Pure.

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string;
  platform?: { os?: string; architecture?: string };
  annotations?: Record<string, string>;
}

export interface Manifest {
  mediaType?: string;
  artifactType?: string;
  config?: Descriptor;
  layers?: Descriptor[];
  manifests?: Descriptor[];
}

/** Asked for in this order; some registries give nothing to who does not name them. */
export const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

/** wasm-to-oci and Krustlet; the CNCF's working group; runwasi; wasmCloud before that. */
const layerTypes = new Set([
  "application/vnd.wasm.content.layer.v1+wasm",
  "application/wasm",
  "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
  "application/vnd.module.wasm.content.layer.v1+wasm",
  "application/vnd.wasm.component.v1+wasm",
]);
const spinConfig = /^application\/vnd\.fermyon\.spin\./;
const archiveLayer =
  /^application\/vnd\.(oci\.image\.layer|docker\.image\.rootfs\.(diff|foreign\.diff))\.v?1?\.?tar/;

/** What is wrong with an artifact, in words that go on where it is named. */
export class ArtifactError extends Error {}

const isWasm = ({ platform = {} }: Descriptor) =>
  platform.architecture === "wasm" || /^was(i|m|ip\d)$/.test(platform.os ?? "");

/** Of an index, the manifest that is for WebAssembly; undefined where none is. */
export function wasmManifestOf({ manifests = [] }: Manifest): Descriptor | undefined {
  const found = manifests.find(isWasm);
  if (found) return found;
  const [only] = manifests;
  const isPlain = only && (!only.platform || only.platform.os === "unknown");
  return manifests.length === 1 && isPlain ? only : undefined;
}

/** The module's own layer; undefined where the manifest is an ordinary image's. Throws ArtifactErrors. */
export function moduleLayerOf({ config, layers = [] }: Manifest): Descriptor | undefined {
  if (spinConfig.test(config?.mediaType ?? "")) {
    throw new ArtifactError("is a Spin application, which is not run here; push its component");
  }
  const modules = layers.filter(({ mediaType }) => layerTypes.has(mediaType));
  if (modules.length === 0) return undefined;
  if (layers.length > 1) {
    throw new ArtifactError(`holds ${layers.length} layers; a module's artifact has one`);
  }
  return modules[0];
}

/** True for an ordinary image whose layers are archives of files. */
export function isImage({ layers = [] }: Manifest): boolean {
  return layers.length > 0 && layers.every(({ mediaType }) => archiveLayer.test(mediaType));
}
