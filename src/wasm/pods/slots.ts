// Cgroups that are made before their pods: a runner waits in one, and what it takes meanwhile is counted there; the pod
// that gets the runner gets the cgroup. The kernel would take 5 to 13 ms to move a process from one to another. Pure.
import { basename, join } from "node:path";

const prefix = "slot-";

/** `above`: the cgroup of a class of pods. */
export const slotIn = (above: string, id: string) => join(above, `${prefix}${id}`);

export const isSlot = (cgroup: string) => basename(cgroup).startsWith(prefix);
