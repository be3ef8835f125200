/** The level of KubeVirt's API that is served. */
export const kubevirtVersion = "v1.6.0";
