// An image that computes on a card: Node, the libraries that it and nvidia-smi load, and a program. What is the
// driver's is not in it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ociArchive } from "../../src/containers/oci-archive.ts";
import { ociArchitecture } from "../../src/containers/pause.ts";
import type { TarEntry } from "../../src/containers/tar.ts";
import { librariesOf } from "./libraries-of.ts";
import type { Site } from "./site.ts";

export const cudaImage = "docker.io/library/cuda:kerb";

function foldersOf(paths: string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) folders.add(folder);
  }
  return [...folders].sort();
}

export async function importCudaImage(site: Site) {
  const programs = [process.execPath, "/usr/bin/nvidia-smi"];
  const libraries = new Set(programs.filter((path) => existsSync(path)).flatMap(librariesOf));
  const program = join(import.meta.dirname, "cuda-program.js");
  const files: [path: string, from: string][] = [
    ...[...libraries].map((path): [string, string] => [path.slice(1), path]),
    ["usr/bin/node", process.execPath],
    ["cuda-program.mjs", program],
  ];
  const entries: TarEntry[] = [
    ...foldersOf(files.map(([path]) => path)).map((path): TarEntry => ({
      path: `${path}/`,
      type: "directory",
    })),
    ...files.map(([path, from]): TarEntry => ({ path, data: readFileSync(from), mode: 0o755 })),
  ];
  mkdirSync(site.directory, { recursive: true });
  const file = join(site.directory, "cuda.tar");
  const command = ["/usr/bin/node", "--no-warnings", "/cuda-program.mjs"];
  const architecture = ociArchitecture(process.arch);
  writeFileSync(file, ociArchive({ name: cudaImage, architecture, files: entries, command }));
  await site.kerb("image", "import", file);
}
