// How a hub says that it does not hear a site, by Open Cluster Management's names.
import { hubGroup } from "../names.ts";

export const availableType = "ManagedClusterConditionAvailable";

const unreachable = `${hubGroup}/unreachable`;
const unavailable = `${hubGroup}/unavailable`;
export const silenceTaints = [unreachable, unavailable];

/** By the condition's status. */
export const silenceTaintOf: Record<string, string | undefined> = {
  Unknown: unreachable,
  False: unavailable,
};

/** Annotation: when the hub last heard a site again after a silence, by the hub's own clock. */
export const heardAtAnnotation = "fleet.kerb.dev/heard-at";
