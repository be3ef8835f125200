// What a volume holds beside its files (a view of an image, a loop device, a place with a driver) is written
// down before it is taken, so that it is given back whatever happens to Kerb or the machine in between.
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Held {
  /** The type of volume that gives it back. */
  type: string;
  [detail: string]: unknown;
}

const folderOf = (podDirectory: string) => join(podDirectory, "held");

export async function writeHeld(podDirectory: string, volume: string, held: Held) {
  const folder = folderOf(podDirectory);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${volume}.json`);
  await writeFile(`${file}.new`, JSON.stringify(held), { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
}

/** By name of volume. */
export async function readHeld(podDirectory: string): Promise<Map<string, Held>> {
  const folder = folderOf(podDirectory);
  const names = await readdir(folder).catch((): string[] => []);
  const found = new Map<string, Held>();
  for (const name of names.filter((one) => one.endsWith(".json"))) {
    const text = await readFile(join(folder, name), "utf8");
    found.set(name.slice(0, -".json".length), JSON.parse(text));
  }
  return found;
}

export const forgetHeld = (podDirectory: string, volume: string) =>
  rm(join(folderOf(podDirectory), `${volume}.json`), { force: true });

/** True when a volume of a pod below `pods` holds what `is` describes. */
export async function someHeld(pods: string, is: (held: Held, podDirectory: string) => boolean) {
  for (const uid of await readdir(pods).catch((): string[] => [])) {
    const podDirectory = join(pods, uid);
    for (const held of (await readHeld(podDirectory)).values()) {
      if (is(held, podDirectory)) return true;
    }
  }
  return false;
}
