/** What people may set of a node, by kubelet's names; everything has a default. */
export interface NodeSettings {
  /** `memory.available<100Mi,nodefs.available<10%,...` */
  evictionHard?: string;
  evictionPressureTransitionMs?: number;
  /** Percent of the disk. */
  imageGcHighThreshold?: number;
  imageGcLowThreshold?: number;
  /** Sysctls beyond the safe ones, `kernel.msg*`. */
  allowedUnsafeSysctls?: string[];
  /** Where static pods are read; default: `manifests` in the site's directory. */
  podManifestPath?: string;
}
