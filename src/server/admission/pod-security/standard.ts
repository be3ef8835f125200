// The Pod Security Standards: which controls make up a level at a version of Kubernetes, and what of them a
// pod breaks.
import type { Check, Control, Level, PodLike, Violation } from "./control.ts";
import { allowPrivilegeEscalation } from "./controls/allow-privilege-escalation.ts";
import { appArmorProfile } from "./controls/app-armor-profile.ts";
import { capabilitiesBaseline } from "./controls/capabilities-baseline.ts";
import { capabilitiesRestricted } from "./controls/capabilities-restricted.ts";
import { hostNamespaces } from "./controls/host-namespaces.ts";
import { hostPathVolumes } from "./controls/host-path-volumes.ts";
import { hostPorts } from "./controls/host-ports.ts";
import { hostProbes } from "./controls/host-probes.ts";
import { privileged } from "./controls/privileged.ts";
import { procMount, procMountRestricted } from "./controls/proc-mount.ts";
import { restrictedVolumes } from "./controls/restricted-volumes.ts";
import { runAsNonRoot } from "./controls/run-as-non-root.ts";
import { runAsUser } from "./controls/run-as-user.ts";
import { seLinuxOptions } from "./controls/se-linux-options.ts";
import { seccompProfileBaseline, seccompProfileRestricted } from "./controls/seccomp-profile.ts";
import { sysctls } from "./controls/sysctls.ts";
import { windowsHostProcess } from "./controls/windows-host-process.ts";

/** In the order of refusals: baseline first, then by id. */
const controls: Control[] = [
  appArmorProfile,
  capabilitiesBaseline,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  seLinuxOptions,
  seccompProfileBaseline,
  sysctls,
  windowsHostProcess,
  allowPrivilegeEscalation,
  capabilitiesRestricted,
  procMountRestricted,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompProfileRestricted,
];

/** The newest minor version at which a control changed: newer ones, and `latest`, mean the same. */
export const newestMinor = Math.max(
  ...controls.flatMap(({ versions }) => versions.map(({ since }) => since)),
);

function checksOf(level: Level, minor: number): Check[] {
  if (level === "privileged") return [];
  const live = controls.flatMap((control) => {
    if (control.level === "restricted" && level === "baseline") return [];
    const version = control.versions.findLast(({ since }) => since <= minor);
    return version ? [{ control, check: version.check }] : [];
  });
  const replaced = new Set(live.map(({ control }) => control.replaces));
  return live.filter(({ control }) => !replaced.has(control.id)).map(({ check }) => check);
}

const known = new Map<string, Check[]>();

/** What of a level a pod breaks; nothing when it keeps to all of it. `minor` may be any number. */
export function violationsOf(pod: PodLike, level: Level, minor: number): Violation[] {
  const at = Math.min(minor, newestMinor);
  const key = `${level}:${at}`;
  let checks = known.get(key);
  if (!checks) known.set(key, (checks = checksOf(level, at)));
  return checks.flatMap((check) => check(pod) ?? []);
}

export const inDetail = (violations: Violation[]) =>
  violations.map(({ reason, detail }) => `${reason} (${detail})`).join(", ");
