// Names that hub and site must agree on, all of them Open Cluster Management's.
export const hubGroup = "cluster.open-cluster-management.io";
export const clusterNameLabel = "open-cluster-management.io/cluster-name";
export const clusterSetLabel = `${hubGroup}/clusterset`;
export const leaseName = "managed-cluster-lease";
export const clusterFinalizer = `${hubGroup}/api-resource-cleanup`;
export const workFinalizer = `${hubGroup}/manifest-work-cleanup`;
/** At a hub that is a Kerb: releases for its sites, by `?sha256=`. */
export const releaseArchivePath = "/kerb/release/archive";
/** Where the agent keeps what it needs, on the site. */
export const agentNamespace = "open-cluster-management-agent";
export const bootstrapSecret = "bootstrap-hub-kubeconfig";
/** The hub to which the site goes when its own is gone. */
export const standbySecret = "standby-hub-kubeconfig";
export const hubSecret = "hub-kubeconfig-secret";

/** Common group of all sites. */
export const managedClustersGroup = "system:open-cluster-management:managed-clusters";
export const clusterGroup = (cluster: string) => `system:open-cluster-management:${cluster}`;
export const agentUser = (cluster: string, agent: string) => `${clusterGroup(cluster)}:${agent}`;

/** Of bootstrap tokens that any site may come with; a person accepts it. */
export const anySiteGroup = "system:bootstrappers:kerb:sites";
/** Of bootstrap tokens that were made for one site, and are its acceptance. */
export const siteGroup = (cluster: string) => `${anySiteGroup}:${cluster}`;
/** Open Cluster Management's own, by which its tools know requests of sites that were invited. */
export const invitedGroup = "system:bootstrappers:managedcluster";

/** ClusterClaim: which release of Kerb the site is. */
export const versionClaim = "version.kerb.dev";

/** ClusterClaim: the IANA name of the site's time zone. */
export const timeZoneClaim = "timezone.kerb.dev";
