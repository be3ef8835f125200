// Modules out of their images, each as a file that runners can be shown. They are read once for each image, as
// containerd unpacked it, and kept by the image's id until the image goes.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import type { ImageConfig, Runtime } from "../../node/runtime.ts";
import { moduleKind } from "../module-kind.ts";
import { readModule } from "../read-module.ts";
import { forgetTranspiled } from "../transpile.ts";

export interface ModuleImage {
  image: ImageConfig;
  /** All of argv, the module's path first. */
  args: string[];
  /** In the image. */
  path: string;
  /** On the machine. */
  file: string;
}

export interface Words {
  image: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  /** The image's, where somebody has asked for it already. */
  imageId?: string;
}

/** What is run, as CRI has it: a command replaces the image's whole, arguments its own. Pure. */
export function argumentsOf(
  { command = [], args = [] }: Words,
  image: Pick<ImageConfig, "entrypoint" | "cmd">,
): string[] {
  if (command.length > 0) return [...command, ...args];
  return [...image.entrypoint, ...(args.length > 0 ? args : image.cmd)];
}

export interface ModuleFolders {
  folder: string;
  /** Of what was made of components. */
  components: string;
}

type Images = Pick<Runtime, "viewImage" | "dropView" | "imageConfig">;

const knownMax = 256;

const prefixOf = (imageId: string) => createHash("sha256").update(imageId).digest("hex");

export class Modules {
  readonly #folder: string;
  readonly #components: string;
  readonly #images: Images;
  readonly #reading = new Map<string, Promise<boolean>>();
  /** What images say, by their ids. */
  readonly #known = new Map<string, ImageConfig>();
  /** Of images that are there, those paths that are none. */
  readonly #strangers = new Set<string>();

  constructor({ folder, components }: ModuleFolders, images: Images) {
    this.#folder = folder;
    this.#components = components;
    this.#images = images;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  async isHere(image: string): Promise<boolean> {
    return (await this.#images.imageConfig?.(image)) !== undefined;
  }

  /** Undefined where the image is not there, or what it would run is no module. */
  async find(words: Words): Promise<ModuleImage | undefined> {
    const image =
      this.#known.get(words.imageId ?? "") ?? (await this.#images.imageConfig?.(words.image));
    if (!image) return undefined;
    if (this.#known.size >= knownMax) this.#known.clear();
    this.#known.set(image.id, image);
    const args = argumentsOf(words, image);
    const path = resolve("/", words.workingDir || image.workingDir, args[0] ?? "");
    const name = `${prefixOf(image.id)}-${prefixOf(path)}`;
    const file = join(this.#folder, name);
    if (this.#strangers.has(name)) return undefined;
    if (!existsSync(file)) {
      const reading = this.#reading.get(name) ?? this.#read(words.image, path, name);
      this.#reading.set(name, reading);
      const isModule = await reading.finally(() => this.#reading.delete(name));
      if (!isModule) return undefined;
    }
    return { image, args, path, file };
  }

  /** Resolves with whether it is a module. */
  async #read(ref: string, path: string, name: string): Promise<boolean> {
    const key = `module-${name}`;
    const { type, source, options } = await this.#images.viewImage(key, ref);
    const root = join(this.#folder, `${name}.root`);
    mkdirSync(root, { recursive: true });
    try {
      await runCommand("mount", ["-t", type, "-o", options.join(), source, root]);
      const bytes = readModule(path, root);
      if (!bytes || !moduleKind(bytes)) {
        this.#strangers.add(name);
        return false;
      }
      writeFileSync(join(this.#folder, `${name}.new`), bytes, { mode: 0o644 });
      renameSync(join(this.#folder, `${name}.new`), join(this.#folder, name));
      return true;
    } finally {
      await runCommand("umount", ["--lazy", root]).catch(() => {});
      rmSync(root, { recursive: true, force: true });
      await this.#images.dropView(key).catch(() => {});
    }
  }

  bytes({ file }: ModuleImage): Buffer {
    return readFileSync(file);
  }

  /** What was read of images that are no more. */
  forgetOthers(imageIds: string[]) {
    const prefixes = new Set(imageIds.map(prefixOf));
    this.#forget((prefix) => !prefixes.has(prefix));
  }

  /** What was read of an image that is no more. */
  forget(imageId: string) {
    const gone = prefixOf(imageId);
    this.#forget((prefix) => prefix === gone);
  }

  #forget(isGone: (prefix: string) => boolean) {
    const names = [...readdirSync(this.#folder), ...this.#strangers];
    for (const name of names.filter((one) => isGone(one.slice(0, one.indexOf("-"))))) {
      // Whoever reads one just now is told later that its image is gone.
      if (this.#reading.has(name.split(".")[0]!)) continue;
      this.#strangers.delete(name);
      const file = join(this.#folder, name);
      if (statSync(file, { throwIfNoEntry: false })?.isFile())
        forgetTranspiled(this.#components, readFileSync(file));
      rmSync(file, { recursive: true, force: true });
    }
  }
}
