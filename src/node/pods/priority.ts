// Which pods a node keeps whatever it lacks: those of the system, and those it was given by file.
import type { Pod } from "./pod.ts";
import { isStatic } from "../static-pods/identity.ts";

/** Upstream's SystemCriticalPriority. */
const criticalPriority = 2_000_000_000;

export const isCritical = (pod: Pod) =>
  isStatic(pod) || Number(pod.spec["priority"] ?? 0) >= criticalPriority;
