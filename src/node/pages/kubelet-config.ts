// `/configz`: the settings in force, as a KubeletConfiguration. Pure.
import { defaultTransitionMs } from "../eviction/manager.ts";
import { defaultThresholds } from "../eviction/thresholds.ts";
import { defaultCollection } from "../images/image-collection.ts";
import type { NodeSettings } from "../node-settings.ts";

export interface ConfigFacts {
  clusterDomain: string;
  dnsServiceIps: string[];
  podManifestPath: string;
  maxPods: number;
}

const seconds = (ms: number) => `${ms / 1000}s`;

export function kubeletConfig(settings: NodeSettings, facts: ConfigFacts): Record<string, any> {
  const thresholds = (settings.evictionHard ?? defaultThresholds)
    .split(",")
    .map((one) => one.trim().split("<"));
  return {
    kind: "KubeletConfiguration",
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    staticPodPath: facts.podManifestPath,
    clusterDomain: facts.clusterDomain,
    clusterDNS: facts.dnsServiceIps,
    cgroupDriver: "cgroupfs",
    maxPods: facts.maxPods,
    cpuManagerPolicy: settings.cpuManagerPolicy ?? "none",
    ...(settings.reservedCpus && { reservedSystemCPUs: settings.reservedCpus }),
    allowedUnsafeSysctls: settings.allowedUnsafeSysctls ?? [],
    evictionHard: Object.fromEntries(thresholds),
    evictionPressureTransitionPeriod: seconds(
      settings.evictionPressureTransitionMs ?? defaultTransitionMs,
    ),
    imageGCHighThresholdPercent: settings.imageGcHighThreshold ?? defaultCollection.highPercent,
    imageGCLowThresholdPercent: settings.imageGcLowThreshold ?? defaultCollection.lowPercent,
    containerLogMaxSize: "10Mi",
    containerLogMaxFiles: 5,
  };
}
