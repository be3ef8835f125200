// The objects every cluster has from its first moment. What is there already stays as it is.
import type { Draft } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import type { ServerHandle } from "./policy.ts";
import type { User } from "./request.ts";

/** Who the server is to itself. */
export const loopback: User = { name: "system:apiserver", groups: ["system:masters"] };

export interface BootstrapOptions {
  /** Where the API is served, for the `kubernetes` Service. */
  securePort?: number;
  /** The address of the `kubernetes` Service; by default the first of the service range. */
  apiAddress?: string;
  /** The ranges of Services, shown as the ServiceCIDR `kubernetes`. */
  serviceCidrs?: string[];
}

const namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

const namespace = (name: string): Draft => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name },
});

const apiService = ({ securePort = 6443, apiAddress }: BootstrapOptions): Draft => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name: "kubernetes",
    namespace: "default",
    labels: { component: "apiserver", provider: "kubernetes" },
  },
  spec: {
    type: "ClusterIP",
    sessionAffinity: "None",
    ...(apiAddress && { clusterIP: apiAddress }),
    ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: securePort }],
  },
});

/**
 * Creates `object` at a collection's path unless it exists. It looks first: creating a Service again
 * would fail on its address, which is taken by itself.
 */
export async function ensure(server: Pick<ServerHandle, "handle">, path: string, object: Draft) {
  const send = (method: string, at: string, body?: Draft) =>
    server.handle({
      method,
      path: at,
      query: new URLSearchParams(),
      headers: { "user-agent": "kube-apiserver" },
      body,
      user: loopback,
      decoded: true,
      signal: new AbortController().signal,
    });
  try {
    await send("GET", `${path}/${object.metadata!.name}`);
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
    await send("POST", path, object).catch((failure) => {
      if (!isStatus(failure, "AlreadyExists")) throw failure;
    });
  }
}

const serviceRanges = (cidrs: string[]): Draft => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "ServiceCIDR",
  metadata: { name: "kubernetes" },
  spec: { cidrs },
});

/** Creates the namespaces, the `kubernetes` Service and the range it is from. */
export async function bootstrap(
  server: Pick<ServerHandle, "handle">,
  options: BootstrapOptions = {},
): Promise<void> {
  await Promise.all(
    namespaces.map((name) => ensure(server, "/api/v1/namespaces", namespace(name))),
  );
  await ensure(server, "/api/v1/namespaces/default/services", apiService(options));
  if (options.serviceCidrs) {
    const path = "/apis/networking.k8s.io/v1/servicecidrs";
    await ensure(server, path, serviceRanges(options.serviceCidrs));
  }
}
