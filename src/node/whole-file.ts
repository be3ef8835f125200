// Small files of the node that are there as a whole or not at all, whenever the power goes: what is new is on
// disk under another name before it takes the old one's place, and the folder is synced before anybody is
// told. The steps are data, so that a test can stop between any two.
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

export type WriteStep =
  | { do: "folder"; path: string }
  /** Ends when the content is on disk; the name may not be yet. */
  | { do: "write"; path: string; text: string }
  | { do: "rename"; from: string; to: string }
  /** Ends when the names in the folder are on disk. */
  | { do: "sync"; path: string };

export type DiskWriter = (step: WriteStep) => Promise<void>;

export const wholeFileSteps = (path: string, text: string): WriteStep[] => [
  { do: "folder", path: dirname(path) },
  { do: "write", path: `${path}.new`, text },
  { do: "rename", from: `${path}.new`, to: path },
  { do: "sync", path: dirname(path) },
];

export const systemDisk: DiskWriter = async (step) => {
  if (step.do === "folder") await mkdir(step.path, { recursive: true, mode: 0o700 });
  else if (step.do === "rename") await rename(step.from, step.to);
  else {
    const file = await open(step.path, step.do === "write" ? "w" : "r", 0o600);
    try {
      if (step.do === "write") await file.writeFile(step.text);
      await file.sync();
    } finally {
      await file.close();
    }
  }
};

export async function writeWhole(path: string, text: string, disk: DiskWriter = systemDisk) {
  for (const step of wholeFileSteps(path, text)) await disk(step);
}
