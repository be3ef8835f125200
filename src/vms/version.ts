/** The level of KubeVirt's API that is served. */
export const kubevirtVersion = "v1.6.0";
/** And of the importer's. */
export const cdiVersion = "v1.62.0";
