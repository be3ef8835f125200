// Images that are no images: an artifact that holds a module, or an image for the platform wasi/wasm. Either becomes an
// ordinary image of this machine, so that everything after the pull (names, digests, policies, garbage collection) is
// that of images. For pods of modules it is looked for before containerd is asked, which keeps an artifact that it
// cannot unpack as an image without a program; for others only what containerd cannot pull is looked at once more.
import { inTurn } from "../../lib/in-turn.ts";
import type { InTurn } from "../../lib/in-turn.ts";
import type { Registries } from "../../lib/registries.ts";
import type { PullAuth, Runtime } from "../../node/runtime.ts";
import { handlers } from "../handlers.ts";
import { ArtifactError, isImage, moduleLayerOf, wasmManifestOf } from "./media-types.ts";
import type { Descriptor, Manifest } from "./media-types.ts";
import { RegistryClient, blobBytesMax, parseName } from "./registry-client.ts";

export interface ImportedLayer {
  mediaType: string;
  data: Buffer;
}

/** What an artifact turned out to be. */
export type Artifact =
  | { module: Buffer }
  /** `config` as the registry has it, for another platform. */
  | { config: any; layers: ImportedLayer[] };

/** Of what is pulled: as it was asked for, and by its digest. Both in full. */
export interface PulledNames {
  name: string;
  byDigest: string;
}

export interface ArtifactOptions {
  registries: Registries;
  fetch: typeof fetch;
  /** A reference in its full form. */
  fullReference: (ref: string) => string;
  /** The id of what is there by its digest, which then has the name as well. */
  known: (names: PulledNames) => Promise<string | undefined>;
  /** Makes it an image of these names; resolves with its id. */
  store: (artifact: Artifact, names: PulledNames) => Promise<string>;
  /** Does ahead what its first container would have to wait for. */
  prepare: (artifact: Artifact) => Promise<void>;
}

/** All of an artifact is in memory at once. */
function checkSize(blobs: Descriptor[]) {
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  if (!(bytes <= blobBytesMax)) throw new ArtifactError(`is larger than ${blobBytesMax} bytes`);
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
  checkSize(manifest.layers ?? []);
  const layers: ImportedLayer[] = [];
  for (const one of manifest.layers ?? []) {
    layers.push({ mediaType: one.mediaType, data: await client.blob(one) });
  }
  return { config, layers };
}

type Pull = (ref: string, auth: PullAuth | undefined) => Promise<string | undefined>;

class ArtifactPuller {
  readonly #options: ArtifactOptions;
  /** One after another, as kubelets pull: each may be large. */
  readonly #inTurn: InTurn = inTurn();
  readonly #underWay = new Map<string, ReturnType<Pull>>();

  constructor(options: ArtifactOptions) {
    this.#options = options;
  }

  /** Resolves with the image's id, or with nothing where the reference names no WebAssembly or nobody says what. */
  pull: Pull = (ref, auth) => {
    const key = JSON.stringify([ref, auth]);
    const underWay =
      this.#underWay.get(key) ??
      this.#pull(ref, auth)
        .catch((error: Error) => {
          if (!(error instanceof ArtifactError)) return undefined;
          throw new Error(`${ref} ${error.message}`, { cause: error });
        })
        .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, underWay);
    return underWay;
  };

  #pull: Pull = async (ref, auth) => {
    const { registries, fetch, fullReference, known } = this.#options;
    const name = fullReference(ref);
    const parsed = parseName(name);
    const client = new RegistryClient(parsed, { registries, auth, fetch });
    const { manifest: top, digest } = await client.manifest();
    const chosen = top.manifests ? wasmManifestOf(top) : undefined;
    if (top.manifests && !chosen) return undefined;
    const manifest = chosen ? (await client.manifest(chosen.digest)).manifest : top;
    const names = { name, byDigest: `${parsed.host}/${parsed.repository}@${digest}` };
    const there = await known(names);
    return there ?? this.#fetch(client, manifest, names);
  };

  async #fetch(client: RegistryClient, manifest: Manifest, names: PulledNames) {
    const { store, prepare } = this.#options;
    const found = await this.#inTurn(async () => {
      const artifact = await contentOf(client, manifest);
      if (!artifact) return undefined;
      const storing = store(artifact, names).catch((cause: Error) => {
        throw new ArtifactError(`was not imported: ${cause.message}`, { cause });
      });
      return { artifact, id: await storing };
    });
    if (found) await prepare(found.artifact);
    return found?.id;
  }
}

/** A runtime that pulls WebAssembly as well. */
export function pullingArtifacts<T extends Runtime>(runtime: T, options: ArtifactOptions): T {
  const pull = runtime.pullImage.bind(runtime);
  const artifacts = new ArtifactPuller(options);
  runtime.pullImage = async (ref, auth, handler = "") => {
    if (handlers.includes(handler)) {
      return (await artifacts.pull(ref, auth)) ?? pull(ref, auth, handler);
    }
    try {
      return await pull(ref, auth, handler);
    } catch (error) {
      const id = await artifacts.pull(ref, auth);
      if (id === undefined) throw error;
      return id;
    }
  };
  return runtime;
}
