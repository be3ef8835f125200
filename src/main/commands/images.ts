// `kerb image`: straight to the site's containerd, so it works while Kerb is stopped as well.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { StoredImage } from "../../cli/image.ts";
import { containerdPid } from "../../containers/containerd.ts";
import {
  fullReference,
  importArchive,
  importModule,
  untagImages,
} from "../../containers/images.ts";
import { connectContainerd } from "../../containers/runtime.ts";
import type { ContainerdRuntime } from "../../containers/runtime.ts";
import type { ImageStatus } from "../../node/runtime.ts";
import { isImageName } from "../../lib/image-name.ts";
import { silent } from "../../lib/log.ts";
import { conflict, notFound } from "../../lib/status-error.ts";
import { moduleKind } from "../../wasm/module-kind.ts";
import { componentsDirectory, containerdDirectory } from "../node/machine.ts";
import { Modules } from "../../wasm/pods/modules.ts";
import { modulesDirectory } from "../wings/process-pods-settings.ts";
import { transpileAhead } from "../wings/wasm-images.ts";
import { usersOf } from "./image-users.ts";

async function withRuntime<T>(dataDir: string, use: (runtime: ContainerdRuntime) => Promise<T>) {
  const folder = containerdDirectory(resolve(dataDir));
  if (containerdPid(folder) === undefined) {
    throw new Error(
      `no containerd runs for the site in ${dataDir}; start it with: kerb up --detach --data-dir ${dataDir}`,
    );
  }
  const runtime = await connectContainerd(folder, silent);
  try {
    return await use(runtime);
  } finally {
    await runtime.close();
  }
}

export async function importImages(
  dataDir: string,
  file: string,
  name?: string,
): Promise<string[]> {
  if (name !== undefined && !isImageName(name)) {
    throw new Error(`${JSON.stringify(name)} is no image's name, such as busybox:1.36`);
  }
  const path = resolve(file);
  if (!existsSync(path)) throw new Error(`${file} does not exist`);
  const folder = containerdDirectory(resolve(dataDir));
  if (!path.endsWith(".wasm")) {
    return withRuntime(dataDir, () => importArchive(folder, path, name));
  }
  if (name === undefined) throw new Error(`${file} carries no name; give it one with --name`);
  const module = readFileSync(path);
  if (moduleKind(module) === undefined) throw new Error(`${file} is no WebAssembly module`);
  return withRuntime(dataDir, async () => {
    try {
      await transpileAhead(componentsDirectory(resolve(dataDir)), module);
    } catch (error) {
      throw new Error(`${file} ${(error as Error).message}`, { cause: error });
    }
    return importModule(folder, module, fullReference(name));
  });
}

export function listImages(dataDir: string): Promise<StoredImage[]> {
  return withRuntime(dataDir, (runtime) => runtime.listImages());
}

const repositoryOf = (name: string) => name.replace(/(@.*|:[^:/]*)$/, "");

/** The names to take from an image that goes by others as well; undefined for one that goes whole. Pure. */
export function namesToRemove(
  { tags, digests }: Pick<ImageStatus, "tags" | "digests">,
  name: string,
): string[] | undefined {
  const repository = repositoryOf(name);
  const isSame = (one: string) => repositoryOf(one) === repository;
  const left = tags.filter((one) => (name.includes("@") ? !isSame(one) : one !== name));
  if (left.length === 0) return undefined;
  const gone = [...tags.filter((one) => !left.includes(one)), ...digests.filter(isSame)];
  return left.some(isSame) ? [name] : gone;
}

/** With `force`, also one that pods use: they run on, and need it again when they start anew. */
export async function removeImage(
  dataDir: string,
  reference: string,
  { force }: { force: boolean },
): Promise<void> {
  const directory = resolve(dataDir);
  const name = fullReference(reference);
  await withRuntime(dataDir, async (runtime) => {
    const image = await runtime.imageStatus(reference);
    if (!image) throw notFound({ group: "", resource: "images" }, name);
    const users = force ? [] : await usersOf(directory, runtime, image.id);
    if (users.length > 0) {
      throw conflict(
        { group: "", resource: "images" },
        name,
        `it is used by ${users.length > 1 ? "pods" : "the pod"} ${users.join(", ")}; with --force it goes all the same`,
      );
    }
    const names = namesToRemove(image, name);
    if (names) return untagImages(containerdDirectory(directory), names);
    await runtime.removeImage(reference);
    const folders = {
      folder: modulesDirectory(directory),
      components: componentsDirectory(directory),
    };
    new Modules(folders, runtime).forget(image.id);
  });
}
