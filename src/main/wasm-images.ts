// WebAssembly among images: what is pulled or imported as a module becomes an image of the site's containerd.
import { fullReference, importForeign, importModule, tagImage } from "../containers/images.ts";
import type { Registries } from "../lib/registries.ts";
import type { Runtime } from "../node/runtime.ts";
import { pullingArtifacts } from "../wasm/registry/pull-artifact.ts";
import type { Artifact } from "../wasm/registry/pull-artifact.ts";

/** `directory` is containerd's. */
export function pullingModules(
  runtime: Runtime,
  directory: string,
  registries: Registries,
): Runtime {
  const store = async (artifact: Artifact, names: { name: string; byDigest: string }) => {
    const { name, byDigest } = names;
    // A digest is no tag, so what is pulled by its digest is given a tag to be imported under.
    const isDigest = name.includes("@");
    const tag = isDigest ? `${name.slice(0, name.indexOf("@"))}:kerb-pulled` : name;
    if ("module" in artifact) await importModule(directory, artifact.module, tag, byDigest);
    else await importForeign(directory, artifact, tag, byDigest);
    await tagImage(directory, tag, byDigest);
    const stored = await runtime.imageStatus(byDigest);
    if (!stored) throw new Error(`${byDigest} was imported and is not there`);
    return stored.id;
  };
  return pullingArtifacts(runtime, { registries, fetch, fullReference, store });
}
