// The file of a module in its image.
import { readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";

function isThere(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

const moduleBytesMax = 256 * 2 ** 20;

/** The image's own file; links in the image must not lead to the machine's. Undefined where there is none. */
export function readModule(path: string, root: string): Buffer | undefined {
  const file = isThere(join(root, path));
  if (file === undefined) return undefined;
  if (!file.startsWith(`${realpathSync(root)}/`)) throw new Error(`${path} leads out of the image`);
  const stats = statSync(file);
  if (!stats.isFile()) throw new Error(`${path} is no file`);
  if (stats.size > moduleBytesMax)
    throw new Error(`${path} is larger than ${moduleBytesMax} bytes`);
  return readFileSync(file);
}
