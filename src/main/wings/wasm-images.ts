// WebAssembly among images: what is pulled or imported as a module becomes an image of the site's containerd.
import {
  fullReference,
  importForeign,
  importModule,
  tagImage,
  untagImages,
} from "../../containers/images.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Registries } from "../../lib/registries.ts";
import type { Runtime } from "../../node/runtime.ts";
import { moduleKind } from "../../wasm/module-kind.ts";
import { transpiled } from "../../wasm/transpile.ts";
import { pullingArtifacts } from "../../wasm/registry/pull-artifact.ts";
import type { Artifact, PulledNames } from "../../wasm/registry/pull-artifact.ts";

/** A component is transpiled when it comes, so that its first container need not wait for it. */
export async function transpileAhead(components: string, module: Buffer): Promise<void> {
  if (moduleKind(module) !== "component") return;
  await transpiled(components, module, systemClock.now() / 1000);
}

interface Folders {
  /** containerd's. */
  containerd: string;
  /** Of transpiled components. */
  components: string;
}

export function pullingModules(
  runtime: Runtime,
  { containerd: directory, components }: Folders,
  registries: Registries,
): Runtime {
  const isDigest = (name: string) => name.includes("@");
  const known = async ({ name, byDigest }: PulledNames) => {
    const there = await runtime.imageStatus(byDigest);
    if (there && !isDigest(name) && !there.tags.includes(name))
      await tagImage(directory, byDigest, name);
    return there?.id;
  };
  const store = async (artifact: Artifact, { name, byDigest }: PulledNames) => {
    // A digest is no tag, so what is pulled by its digest has one while it is imported.
    const tag = isDigest(name) ? `${name.slice(0, name.indexOf("@"))}:kerb-pulled` : name;
    if ("module" in artifact) await importModule(directory, artifact.module, tag, byDigest);
    else await importForeign(directory, artifact, tag, byDigest);
    await tagImage(directory, tag, byDigest);
    if (isDigest(name)) await untagImages(directory, [tag]);
    const stored = await runtime.imageStatus(byDigest);
    if (!stored) throw new Error(`${byDigest} was imported and is not there`);
    return stored.id;
  };
  const prepare = async (artifact: Artifact) => {
    if (!("module" in artifact)) return;
    // Whoever starts it is told what is wrong with it.
    await transpileAhead(components, artifact.module).catch(() => {});
  };
  return pullingArtifacts(runtime, { registries, fetch, fullReference, known, store, prepare });
}
