// Claims and Ingresses that name no class get the default one: of several, the youngest.
import type { KubeObject } from "../../kinds/object.ts";

/** Youngest first, then by name. */
function byAge({ metadata: a }: KubeObject, { metadata: b }: KubeObject): number {
  if (a.creationTimestamp !== b.creationTimestamp) {
    return a.creationTimestamp < b.creationTimestamp ? 1 : -1;
  }
  return a.name < b.name ? -1 : 1;
}

/** The class one of whose `annotations` says "true". */
export const defaultClassOf = (classes: KubeObject[], ...annotations: string[]) =>
  classes
    .filter(({ metadata }) => annotations.some((name) => metadata.annotations?.[name] === "true"))
    .sort(byAge)[0];
