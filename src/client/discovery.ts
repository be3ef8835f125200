// What a cluster elsewhere serves, in the two documents of aggregated discovery, which every Kubernetes from
// 1.26 on has. Asked for again only when somebody wants to know and the last answer is not fresh.
import type { Clock } from "../lib/clock.ts";
import type { Resource } from "./client.ts";
import type { HttpsClient } from "./https.ts";

/** Who asks again within this gets the same answer. */
const freshMs = 2000;
const accept = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(",");

export interface ServedResource extends Resource {
  kind: string;
  namespaced: boolean;
  verbs: string[];
  /** Its own server does not answer now. */
  remote?: boolean;
}

/** Of an `APIGroupDiscoveryList`, preferred versions first. Throws an Error for anything else. Pure. */
export function servedResources(document: any): ServedResource[] {
  if (document?.kind !== "APIGroupDiscoveryList") {
    throw new Error(
      "the API server has no aggregated discovery; Kubernetes 1.26 or later is needed",
    );
  }
  return (document.items ?? []).flatMap(({ metadata, versions = [] }: any) =>
    versions.flatMap(({ version, resources = [], freshness }: any) =>
      resources.map(({ resource, responseKind, scope, verbs = [] }: any) => ({
        ...{ group: metadata?.name ?? "", version, resource, verbs },
        kind: responseKind?.kind ?? "",
        namespaced: scope === "Namespaced",
        ...(freshness === "Stale" && { remote: true }),
      })),
    ),
  );
}

/** Everything that the cluster of `client` serves now. */
export function remoteDiscovery(client: Pick<HttpsClient, "read">, clock: Clock) {
  let last: { atMs: number; answer: Promise<ServedResource[]> } | undefined;
  const ask = async () => {
    const [core, others] = await Promise.all([
      client.read("/api", accept),
      client.read("/apis", accept),
    ]);
    return [...servedResources(core), ...servedResources(others)];
  };
  return (): Promise<ServedResource[]> => {
    const atMs = clock.monotonic();
    if (last && atMs - last.atMs < freshMs) return last.answer;
    const answer = ask();
    answer.catch(() => (last = undefined));
    last = { atMs, answer };
    return answer;
  };
}
