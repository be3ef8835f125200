// Images that are no images: what containerd cannot pull is looked at once more, as an artifact that holds
// a module or as an image for the platform wasi/wasm. Either becomes an ordinary image of this machine, so
// that everything after the pull (names, digests, policies, garbage collection) is that of images.
import type { PullAuth, Runtime } from "../../node/runtime.ts";
import type { Registries } from "../../lib/registries.ts";
import { ArtifactError, isImage, moduleLayerOf, wasmManifestOf } from "./media-types.ts";
import type { Manifest } from "./media-types.ts";
import { RegistryClient, parseName } from "./registry-client.ts";

export interface ImportedLayer {
  mediaType: string;
  data: Buffer;
}

/** What an artifact turned out to be. */
export type Artifact =
  | { module: Buffer }
  /** `config` as the registry has it, for another platform. */
  | { config: any; layers: ImportedLayer[] };

export interface ArtifactOptions {
  registries: Registries;
  fetch: typeof fetch;
  /** A reference in its full form. */
  fullReference: (ref: string) => string;
  /** Makes it an image of this name and, for its digest, of a second; resolves with its id. */
  store: (artifact: Artifact, names: { name: string; byDigest: string }) => Promise<string>;
}

async function contentOf(
  client: RegistryClient,
  manifest: Manifest,
): Promise<Artifact | undefined> {
  const layer = moduleLayerOf(manifest);
  if (layer) return { module: await client.blob(layer) };
  if (!manifest.config || !isImage(manifest)) return undefined;
  const config = JSON.parse((await client.blob(manifest.config)).toString());
  if (config.architecture !== "wasm" && !config.os.startsWith("wasi")) return undefined;
  const layers: ImportedLayer[] = [];
  for (const one of manifest.layers ?? []) {
    layers.push({ mediaType: one.mediaType, data: await client.blob(one) });
  }
  return { config, layers };
}

/** Resolves with the image's id, or with nothing where the reference names no WebAssembly. */
export async function pullArtifact(
  ref: string,
  auth: PullAuth | undefined,
  { registries, fetch, fullReference, store }: ArtifactOptions,
): Promise<string | undefined> {
  const name = fullReference(ref);
  const parsed = parseName(name);
  const client = new RegistryClient(parsed, { registries, auth, fetch });
  const { manifest: top, digest } = await client.manifest();
  const chosen = top.manifests ? wasmManifestOf(top) : undefined;
  if (top.manifests && !chosen) return undefined;
  const manifest = chosen ? (await client.manifest(chosen.digest)).manifest : top;
  const artifact = await contentOf(client, manifest);
  if (!artifact) return undefined;
  const byDigest = `${parsed.host}/${parsed.repository}@${digest}`;
  return store(artifact, { name, byDigest });
}

/** A runtime that pulls WebAssembly as well. */
export function pullingArtifacts<T extends Runtime>(runtime: T, options: ArtifactOptions): T {
  const pull = runtime.pullImage.bind(runtime);
  runtime.pullImage = async (ref, auth) => {
    try {
      return await pull(ref, auth);
    } catch (error) {
      const found = await pullArtifact(ref, auth, options).catch((second: unknown) => {
        if (!(second instanceof ArtifactError) || /the registry answers/.test(second.message))
          throw error;
        throw new Error(`${ref} ${second.message}`, { cause: error });
      });
      if (found === undefined) throw error;
      return found;
    }
  };
  return runtime;
}
