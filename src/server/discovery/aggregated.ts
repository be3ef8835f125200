// Aggregated discovery (apidiscovery.k8s.io): everything in one document.
import type { Kind } from "../../kinds/kind.ts";
import { subresourceKind, subresourceVerbs } from "./subresources.ts";
import type { Group } from "./groups.ts";

interface ResponseKind {
  group: string;
  version: string;
  kind: string;
}

function subresourceOf(kind: Kind, subresource: string) {
  const own: ResponseKind = { group: "", version: "", kind: "" };
  return {
    subresource,
    responseKind: {
      ...own,
      group: kind.group,
      version: kind.version,
      ...subresourceKind(kind, subresource),
    },
    verbs: subresourceVerbs(kind, subresource),
  };
}

const resourceOf = (kind: Kind) => ({
  resource: kind.plural,
  responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
  scope: kind.namespaced ? "Namespaced" : "Cluster",
  singularResource: kind.singular,
  verbs: [...kind.verbs].sort(),
  ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
  ...(kind.categories.length > 0 && { categories: kind.categories }),
  ...(kind.subresources.length > 0 && {
    subresources: kind.subresources.map((subresource) => subresourceOf(kind, subresource)),
  }),
});

export const aggregated = (groups: Group[], version: "v2" | "v2beta1") => ({
  kind: "APIGroupDiscoveryList",
  apiVersion: `apidiscovery.k8s.io/${version}`,
  metadata: {},
  items: groups.map(({ name, versions }) => ({
    metadata: { name, creationTimestamp: null },
    versions: versions.map((one) => ({
      version: one.version,
      resources: one.remote?.resources ?? one.kinds.map(resourceOf),
      freshness: one.remote?.freshness ?? "Current",
    })),
  })),
});
