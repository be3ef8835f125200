/** What people may set of a node, by kubelet's names; everything has a default. */
export interface NodeSettings {
  /** `memory.available<100Mi,nodefs.available<10%,...` */
  evictionHard?: string;
  evictionPressureTransitionMs?: number;
  /** Percent of the disk. */
  imageGcHighThreshold?: number;
  imageGcLowThreshold?: number;
  /** `static`: containers of whole cpus in guaranteed pods have theirs alone. */
  cpuManagerPolicy?: "none" | "static";
  /** Cpus that no container has alone, `0` or `0-1,4`. */
  reservedCpus?: string;
  /** How long the machine waits for its pods when it goes down; absent: it does not. */
  shutdownGracePeriodMs?: number;
  /** The part of it that is for critical pods. */
  shutdownCriticalMs?: number;
  /** Told to the site: how long this node may be away. */
  autonomyDuration?: string;
  /** Sysctls beyond the safe ones, `kernel.msg*`. */
  allowedUnsafeSysctls?: string[];
  /** Labels of what this node does not run, which it may have had before: whole, or all below `prefix/`. */
  retiredLabels?: string[];
  /** Where static pods are read; default: `manifests` in the site's directory. */
  podManifestPath?: string;
}
