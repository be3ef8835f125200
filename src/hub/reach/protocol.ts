// Where a site is reached at its hub, and where it opens its tunnel. Pure.
export const reachGroup = "proxy.fleet.kerb.dev";
export const reachVersion = "v1alpha1";
const root = `/apis/${reachGroup}/${reachVersion}`;

/** Of each stream that the hub opens in a site's tunnel; a connection of HTTP/1.1 is in it. */
export const connectPath = "/connect";

/** Put before every name that a hub speaks for, so that none of them is one of the site's own. */
export const hubPrefix = "hub:";

export const tunnelPath = (cluster: string) => `${root}/managedclusters/${cluster}/tunnel`;
export const proxyPath = (cluster: string) => `${root}/managedclusters/${cluster}/proxy`;

export interface Reach {
  cluster: string;
  via: "proxy" | "tunnel";
  /** Path and query at the site, as they were written. */
  path: string;
}

const pattern = new RegExp(
  `^${root.replaceAll(".", "\\.")}/managedclusters/([^/?]+)/(proxy|tunnel)(/[^?]*)?(\\?.*)?$`,
);

/** Undefined for a URL that leads to no site. */
export function parseReach(url: string): Reach | undefined {
  const found = pattern.exec(url);
  if (!found) return undefined;
  const [, cluster, via, path = "/", query = ""] = found;
  return { cluster: cluster!, via: via as Reach["via"], path: path + query };
}

const verbs = ["create", "delete", "get", "patch", "update"];
const resource = (subresource: string, kind: string) => ({
  name: `managedclusters/${subresource}`,
  singularName: "",
  namespaced: false,
  kind,
  verbs,
});

export const resourceList = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: `${reachGroup}/${reachVersion}`,
  resources: [
    resource("proxy", "ManagedClusterProxyOptions"),
    { ...resource("tunnel", "ManagedClusterTunnelOptions"), verbs: ["get"] },
  ],
};

export const isDiscovery = (url: string) => url.split("?")[0] === root;
