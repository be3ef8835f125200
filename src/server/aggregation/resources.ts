// From an APIResourceList, as every server tells it, to the form of aggregated discovery.
import type { DiscoveredResource } from "../remotes.ts";

interface ApiResource {
  name: string;
  singularName?: string;
  namespaced?: boolean;
  kind: string;
  group?: string;
  version?: string;
  verbs?: string[];
  shortNames?: string[];
  categories?: string[];
}

/** Subresources without their resource are left out, as upstream. */
export function discoveredResources(
  list: ApiResource[],
  { group, version }: { group: string; version: string },
): DiscoveredResource[] {
  const kindOf = (one: ApiResource) => ({
    group: one.group ?? group,
    version: one.version ?? version,
    kind: one.kind,
  });
  const resources = new Map<string, DiscoveredResource & { subresources: object[] }>();
  for (const one of list.filter(({ name }) => !name.includes("/"))) {
    resources.set(one.name, {
      resource: one.name,
      responseKind: kindOf(one),
      scope: one.namespaced ? "Namespaced" : "Cluster",
      singularResource: one.singularName ?? "",
      verbs: one.verbs ?? [],
      ...(one.shortNames && { shortNames: one.shortNames }),
      ...(one.categories && { categories: one.categories }),
      subresources: [],
    });
  }
  for (const one of list.filter(({ name }) => name.includes("/"))) {
    const [resource = "", ...subresource] = one.name.split("/");
    resources.get(resource)?.subresources.push({
      subresource: subresource.join("/"),
      responseKind: kindOf(one),
      verbs: one.verbs ?? [],
    });
  }
  return [...resources.values()].map(({ subresources, ...rest }) => ({
    ...rest,
    ...(subresources.length > 0 && { subresources }),
  }));
}
