// Paths of files, and the modes that files may have.
import { all, holds } from "./rules.ts";

const fileModeMax = 0o777;

export const fileMode = holds(
  (mode) => mode >= 0 && mode <= fileModeMax,
  "must be a number between 0 and 0777 (octal), both inclusive",
);

export const withoutBacksteps = holds(
  (path: string) => !path.includes("..") || !path.split("/").includes(".."),
  "must not contain '..'",
);

export const absolutePath = holds(
  (path: string) => path.startsWith("/"),
  "must be an absolute path",
);

/** Stays below where it starts. */
export const descendingPath = all(
  holds((path: string) => !path.startsWith("/"), "must be a relative path"),
  withoutBacksteps,
);

/** What files of volumes may be called: what begins with two dots is kept for the node. */
export const filePath = all(
  descendingPath,
  holds((path: string) => !/^\.\.(?!\/)/.test(path), "must not start with '..'"),
);
