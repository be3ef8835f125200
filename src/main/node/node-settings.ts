// From the command line to what the agent is told.
import { resolve } from "node:path";
import type { NodeOptions } from "../../cli/node-options.ts";
import { parseCpus } from "../../node/cpus/cpu-set.ts";
import type { Registries } from "../../lib/registries.ts";
import { parseThresholds } from "../../node/eviction/thresholds.ts";
import type { NodeSettings } from "../../node/node-settings.ts";
import { vmLabels } from "../../vms/node/labels.ts";

/** What is wrong is told by the name of the option. */
function parsed<T>(option: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`--${option}: ${(error as Error).message}`, { cause: error });
  }
}

/** Throws for what does not parse. */
export function nodeSettingsOf(options: NodeOptions & { vms?: boolean }): NodeSettings {
  const { evictionHard, evictionPressureTransitionPeriod, podManifestPath } = options;
  const { imageGcHighThreshold, imageGcLowThreshold } = options;
  const { cpuManagerPolicy, reservedCpus } = options;
  const reserved = parsed("reserved-cpus", reservedCpus ?? "", parseCpus);
  if (cpuManagerPolicy === "static" && reserved.length === 0) {
    throw new Error("--cpu-manager-policy static needs --reserved-cpus, as 0: what all share");
  }
  if (evictionHard !== undefined) parsed("eviction-hard", evictionHard, parseThresholds);
  return {
    ...(evictionHard !== undefined && { evictionHard }),
    ...(evictionPressureTransitionPeriod !== undefined && {
      evictionPressureTransitionMs: evictionPressureTransitionPeriod,
    }),
    ...(imageGcHighThreshold !== undefined && { imageGcHighThreshold }),
    ...(imageGcLowThreshold !== undefined && { imageGcLowThreshold }),
    ...(options.shutdownGracePeriod !== undefined && {
      shutdownGracePeriodMs: options.shutdownGracePeriod,
      shutdownCriticalMs: options.shutdownGracePeriodCriticalPods ?? 0,
    }),
    ...(cpuManagerPolicy !== undefined && { cpuManagerPolicy }),
    ...(reservedCpus !== undefined && { reservedCpus }),
    ...(options.allowedUnsafeSysctls && { allowedUnsafeSysctls: options.allowedUnsafeSysctls }),
    ...(!options.vms && { retiredLabels: vmLabels }),
    ...(podManifestPath !== undefined && { podManifestPath: resolve(podManifestPath) }),
  };
}

export const registriesOf = ({ insecureRegistry, registryMirror }: NodeOptions): Registries => ({
  insecure: new Set(insecureRegistry),
  mirrors: new Map(registryMirror),
});
