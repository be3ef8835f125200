// The endpoints of a Service: its Endpoints object, and where there is none (a Service whose owner writes
// EndpointSlices by hand) what its slices say, in the same form.
import type { KubeObject } from "../../kinds/object.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { ServerHandle } from "../policy.ts";

export interface EndpointAddress {
  ip: string;
  nodeName?: string;
  targetRef?: { kind?: string; namespace?: string; name?: string };
}

export interface EndpointSubset {
  addresses?: EndpointAddress[];
  ports?: { name?: string; port: number }[];
}

const serviceName = "kubernetes.io/service-name";
const slicePrefix = "endpointslices.discovery.k8s.io/";

interface Slice extends KubeObject {
  endpoints?: {
    addresses: string[];
    conditions?: { ready?: boolean };
    nodeName?: string;
    targetRef?: EndpointAddress["targetRef"];
  }[];
  ports?: { name?: string; port?: number }[];
}

/** A slice whose endpoint does not say that it is not ready counts as ready, as its API has it. */
function subsetOf({ endpoints, ports }: Slice): EndpointSubset {
  const addresses = (endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses: ips, nodeName, targetRef }) =>
      ips.map((ip) => ({ ip, ...(nodeName && { nodeName }), ...(targetRef && { targetRef }) })),
    );
  const numbered = (ports ?? []).flatMap(({ name, port }) =>
    port === undefined ? [] : [{ ...(name && { name }), port }],
  );
  return { addresses, ports: numbered };
}

/** Undefined when the Service has neither Endpoints nor slices. */
export async function readEndpoints(
  { store }: Pick<ServerHandle, "store">,
  namespace: string,
  name: string,
): Promise<EndpointSubset[] | undefined> {
  const entry = await store.get(`endpoints/${namespace}/${name}`);
  if (entry) return (parseShared<KubeObject>(entry.value)["subsets"] as EndpointSubset[]) ?? [];
  const { entries } = await store.list(`${slicePrefix}${namespace}/`);
  const slices = entries
    .map(({ value }) => parseShared<Slice>(value))
    .filter(({ metadata }) => metadata.labels?.[serviceName] === name);
  return slices.length === 0 ? undefined : slices.map(subsetOf);
}
