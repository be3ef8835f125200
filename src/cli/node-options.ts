// What `kerb up` and `kerb join` both let people say of the node, by kubelet's names.
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { durationMs } from "../lib/parse-duration.ts";

export interface NodeOptions {
  evictionHard?: string;
  /** Milliseconds. */
  evictionPressureTransitionPeriod?: number;
  imageGcHighThreshold?: number;
  imageGcLowThreshold?: number;
  podManifestPath?: string;
  insecureRegistry?: string[];
  /** Registry and URL. */
  registryMirror?: [string, string][];
  allowedUnsafeSysctls?: string[];
  cpuManagerPolicy?: "none" | "static";
  reservedCpus?: string;
  /** Milliseconds. */
  shutdownGracePeriod?: number;
  shutdownGracePeriodCriticalPods?: number;
  /** `24h` or `forever`. */
  autonomyDuration?: string;
}

/** `90s` or `1h30m`, as Go writes durations; milliseconds. */
export function parseDuration(text: string): number {
  const ms = durationMs(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError("a duration such as 30s, 5m or 1h30m is needed.");
}

/** How long a node's pods are waited for; `forever` too. */
function parseAutonomy(text: string): string {
  if (text !== "forever") parseDuration(text);
  return text;
}

function parsePercent(text: string): number {
  const percent = Number(text);
  if (Number.isInteger(percent) && percent > 0 && percent <= 100) return percent;
  throw new InvalidArgumentError("a whole number of percent from 1 to 100 is needed.");
}

function parseRegistry(text: string, before: string[] = []): string[] {
  if (/^[\w.-]+(:\d+)?$/.test(text)) return [...before, text];
  throw new InvalidArgumentError("a registry's name is needed, as HOST or HOST:PORT.");
}

function parseMirror(text: string, before: [string, string][] = []): [string, string][] {
  const [, host, url] = /^([\w.-]+(?::\d+)?)=(https?:\/\/[\w.-]+(?::\d+)?)\/?$/.exec(text) ?? [];
  if (host && url) return [...before, [host, url]];
  throw new InvalidArgumentError(
    "a registry and its mirror are needed, as HOST=http[s]://HOST:PORT.",
  );
}

export const addNodeOptions = (command: Command) =>
  command
    .option(
      "--eviction-hard <list>",
      "thresholds at which pods are evicted (default: memory.available<100Mi,nodefs.available<10%,...)",
    )
    .option(
      "--eviction-pressure-transition-period <duration>",
      "how long a pressure condition lasts after the pressure ended (default: 5m)",
      parseDuration,
    )
    .option(
      "--image-gc-high-threshold <percent>",
      "disk usage at which unused images are removed (default: 85)",
      parsePercent,
    )
    .option(
      "--image-gc-low-threshold <percent>",
      "disk usage down to which they are removed (default: 80)",
      parsePercent,
    )
    .option(
      "--shutdown-grace-period <duration>",
      "how long a shutdown of the machine waits for pods (needs systemd; default: not at all)",
      parseDuration,
    )
    .option(
      "--shutdown-grace-period-critical-pods <duration>",
      "the part of it reserved for critical pods, which end last",
      parseDuration,
    )
    .option(
      "--autonomy-duration <duration>",
      "how long pods of an unreachable node are kept, or forever; at a site: the default for its nodes",
      parseAutonomy,
    )
    .addOption(
      new Option(
        "--cpu-manager-policy <policy>",
        "static: Guaranteed pods have whole CPUs to themselves",
      ).choices(["none", "static"]),
    )
    .option("--reserved-cpus <list>", "CPUs that are never assigned exclusively, as 0,4-5")
    .option(
      "--allowed-unsafe-sysctls <list>",
      "unsafe sysctls that pods may set, such as kernel.msg*",
      (text: string) => text.split(","),
    )
    .option(
      "--insecure-registry <host[:port]>",
      "pull from this registry without TLS; repeatable",
      parseRegistry,
    )
    .option(
      "--registry-mirror <host=url>",
      "try this mirror first for a registry's images; repeatable",
      parseMirror,
    )
    .option("--pod-manifest-path <dir>", "folder of static pods (default: DIR/manifests)");
