import { join } from "node:path";

/** Where the containerd of this folder answers. */
export const socketOf = (directory: string) => join(directory, "containerd.sock");
