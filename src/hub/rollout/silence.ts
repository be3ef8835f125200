// Nothing is taken from a site because it was silent: a site without contact loses its place in decisions, and
// its works stay. Once it is heard again, placements have a moment to choose it anew. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import type { Condition } from "../../lib/conditions.ts";
import { availableType, heardAtAnnotation, silenceTaints } from "../registration/availability.ts";

const heardMs = 30_000;

/** From when (wall clock of the hub, ms) a work may be taken from `cluster`: Infinity while it is silent. */
export function removableFrom(cluster: KubeObject | undefined): number {
  if (!cluster) return -Infinity;
  const { metadata, spec, status } = cluster;
  if (spec?.taints?.some(({ key }: any) => silenceTaints.includes(key))) return Infinity;
  const available: Condition | undefined = status?.conditions?.find(
    (one: Condition) => one.type === availableType,
  );
  if (!available) return -Infinity;
  if (available.status !== "True") return Infinity;
  const heardAt = metadata.annotations?.[heardAtAnnotation];
  return heardAt ? Date.parse(heardAt) + heardMs : -Infinity;
}
