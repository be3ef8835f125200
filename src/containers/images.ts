// Images by file, for sites without network. containerd's own `ctr` reads OCI and docker archives.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pauseImage } from "./containerd.ts";
import { socketOf } from "./socket.ts";
import { layoutArchive, ociArchive } from "./oci-archive.ts";
import type { ImageContent, ImageLayer } from "./oci-archive.ts";
import { ociArchitecture, pauseProgram } from "./pause.ts";
import type { Runtime } from "../node/runtime.ts";
import { runCommand } from "../lib/run-command.ts";

const kubernetesNamespace = "k8s.io";
/** Modules need no rights of a user. */
const nobody = "65534:65534";

/**
 * A reference in the full form that containerd files images under: `busybox` is
 * `docker.io/library/busybox:latest`. Pure.
 */
export function fullReference(reference: string): string {
  const slash = reference.indexOf("/");
  const first = slash < 0 ? "" : reference.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === "localhost";
  let name = hasRegistry
    ? reference
    : `docker.io/${slash < 0 ? `library/${reference}` : reference}`;
  const last = name.slice(name.lastIndexOf("/") + 1);
  if (!last.includes(":") && !name.includes("@")) name += ":latest";
  return name;
}

const ctr = (directory: string, ...args: string[]) =>
  runCommand("ctr", [
    "--address",
    socketOf(directory),
    "--namespace",
    kubernetesNamespace,
    ...args,
  ]);

/** Which manifest each name stands for. */
async function digests(directory: string): Promise<Map<string, string>> {
  const output = await ctr(directory, "images", "list");
  return new Map(
    [...output.matchAll(/^(\S+)\s+\S+\s+(sha256:\S+)/gm)].map(([, name, digest]) => [
      name!,
      digest!,
    ]),
  );
}

/** A name that an archive brought besides the one asked for is what it was before: nothing, or another image. */
async function giveBack(directory: string, reference: string, before: Map<string, string>) {
  const was = before.get(reference);
  if (was === undefined) return ctr(directory, "images", "remove", reference);
  const now = await digests(directory);
  if (now.get(reference) === was) return;
  // containerd's CRI plugin keeps a name of its own for every image, by its id.
  const same = [...now].find(([, digest]) => digest === was)?.[0];
  if (same) await ctr(directory, "images", "tag", "--force", same, reference);
}

/** The references that `ctr images import` tells of, as containerd 1 and, often more than once, 2 print them. Pure. */
export const namesBrought = (output: string): string[] => [
  ...new Set(
    [...output.matchAll(/^(?:unpacking (\S+)|(\S+)\s+saved\s*$)/gm)].map(
      ([, unpacked, saved]) => (unpacked ?? saved)!,
    ),
  ),
];

/** Imports an archive; resolves with the references it brought, or the one asked for. */
export async function importArchive(
  directory: string,
  file: string,
  name?: string,
): Promise<string[]> {
  const before = name === undefined ? new Map() : await digests(directory);
  const flags = ["--all-platforms", "--digests=false"];
  const output = await ctr(directory, "images", "import", ...flags, file).catch((cause: Error) => {
    const said = cause.message
      .split("\n")
      .at(-1)!
      .replace(/^.* ctr: /, "");
    throw new Error(`${file} is no OCI or docker archive that can be read: ${said}`, { cause });
  });
  const brought = namesBrought(output);
  if (brought.length === 0) throw new Error(`${file} holds no image`);
  const wanted = name === undefined ? brought.map(fullReference) : [fullReference(name)];
  if (name !== undefined && brought.length > 1) {
    throw new Error(`${file} holds ${brought.length} images; --name can name only one`);
  }
  for (const [i, reference] of brought.entries()) {
    const full = wanted[i]!;
    if (full === reference) continue;
    await ctr(directory, "images", "tag", "--force", reference, full);
    await giveBack(directory, reference, before);
  }
  return wanted;
}

async function importBytes(directory: string, archive: Buffer) {
  const folder = mkdtempSync(join(tmpdir(), "kerb-image-"));
  try {
    const file = join(folder, "image.tar");
    writeFileSync(file, archive);
    return await importArchive(directory, file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Imports what `ociArchive` makes of the content. */
function importContent(directory: string, content: Omit<ImageContent, "architecture">) {
  const architecture = ociArchitecture(process.arch);
  return importBytes(directory, ociArchive({ ...content, architecture }));
}

/** Two images with the same content are one for containerd; what they are made from keeps them apart. */
const madeFrom = (origin: string) => ({ "kerb.dev/made-from": origin });

/** Imports a WebAssembly module as an image that holds nothing else. `name` in full. */
export function importModule(
  directory: string,
  module: Buffer,
  name: string,
  origin = name,
): Promise<string[]> {
  return importContent(directory, {
    name,
    files: [{ path: "module.wasm", data: module, mode: 0o644 }],
    entrypoint: ["/module.wasm"],
    user: nobody,
    labels: madeFrom(origin),
  });
}

export interface ForeignImage {
  config: { config?: { Labels?: object }; [field: string]: unknown };
  layers: ImageLayer[];
}

/** Imports an image of another platform as one of this machine's: its files, with its configuration. */
export function importForeign(
  directory: string,
  { config, layers }: ForeignImage,
  name: string,
  origin: string,
): Promise<string[]> {
  const labels = { ...config.config?.Labels, ...madeFrom(origin) };
  const own = {
    ...config,
    os: "linux",
    architecture: ociArchitecture(process.arch),
    config: { ...config.config, Labels: labels },
  };
  return importBytes(directory, layoutArchive(name, own, layers));
}

/** Gives an image a second name. Both in full. */
export async function tagImage(directory: string, name: string, second: string): Promise<void> {
  await ctr(directory, "images", "tag", "--force", name, second);
}

/** Takes names from an image that has others. */
export async function untagImages(directory: string, names: string[]): Promise<void> {
  await ctr(directory, "images", "remove", ...names);
}

/** Makes sure that an image of Kerb's own is there. */
export async function ensureOwnImage(
  directory: string,
  runtime: Pick<Runtime, "imageStatus">,
  content: Omit<ImageContent, "architecture">,
): Promise<void> {
  if (await runtime.imageStatus(content.name)) return;
  await importContent(directory, content);
}

export function ensurePauseImage(directory: string, runtime: Pick<Runtime, "imageStatus">) {
  return ensureOwnImage(directory, runtime, {
    name: pauseImage,
    files: [{ path: "pause", data: pauseProgram(process.arch), mode: 0o755 }],
    entrypoint: ["/pause"],
  });
}
