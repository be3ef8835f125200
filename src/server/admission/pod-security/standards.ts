// The Pod Security Standards (KEP-2579): three levels, each a set of controls, at the version that a
// namespace asks for.
import { baseline } from "./baseline.ts";
import type { Finding, PodShape } from "./pod.ts";
import { restricted } from "./restricted.ts";

export const levels = ["privileged", "baseline", "restricted"] as const;
export type Level = (typeof levels)[number];

/** A level at a version, `latest` or `v1.30`. */
export interface Standard {
  level: Level;
  version: string;
}

const isLevel = (text: string): text is Level => levels.includes(text as Level);
const versionPattern = /^v1\.(0|[1-9]\d*)$/;
const isVersion = (text: string) => text === "latest" || versionPattern.test(text);

const label = (mode: string) => `pod-security.kubernetes.io/${mode}`;

/** What is wrong with a namespace's labels for it: the label, its value and what may stand there. Pure. */
export function labelErrors(labels: Record<string, string> = {}) {
  const errors: { label: string; value: string; wanted: string }[] = [];
  for (const mode of ["enforce", "audit", "warn"]) {
    const level = labels[label(mode)];
    const version = labels[`${label(mode)}-version`];
    if (level !== undefined && !isLevel(level)) {
      errors.push({
        label: label(mode),
        value: level,
        wanted: `must be one of ${levels.join(", ")}`,
      });
    }
    if (version !== undefined && !isVersion(version)) {
      const wanted = 'must be "latest" or "v1.x"';
      errors.push({ label: `${label(mode)}-version`, value: version, wanted });
    }
  }
  return errors;
}

/** The standard that labels ask for in a mode. What cannot be read counts as the strictest. Pure. */
export function standardOf(
  labels: Record<string, string> = {},
  mode: "enforce" | "audit" | "warn",
): Standard {
  const level = labels[label(mode)] ?? "privileged";
  const version = labels[`${label(mode)}-version`] ?? "latest";
  return {
    level: isLevel(level) ? level : "restricted",
    version: isVersion(version) ? version : "latest",
  };
}

/** What of `pod` breaks the standard. Pure. */
export function findings({ level, version }: Standard, pod: PodShape): Finding[] {
  if (level === "privileged") return [];
  const minor = Number(versionPattern.exec(version)?.[1] ?? Number.POSITIVE_INFINITY);
  const controls = level === "restricted" ? [...restricted, ...baseline] : baseline;
  const found = controls.flatMap((control) => control(pod, minor) ?? []);
  // Restricted says it all: what the baseline finds in the same place adds nothing.
  return level === "restricted" ? found.filter((one, i) => !isSaid(one, found.slice(0, i))) : found;
}

const covered: Record<string, string> = {
  "non-default capabilities": "unrestricted capabilities",
  "hostPath volumes": "restricted volume types",
  seccompProfile: "seccompProfile",
};

const isSaid = ({ reason }: Finding, before: readonly Finding[]) =>
  covered[reason] !== undefined && before.some((one) => one.reason === covered[reason]);

export const told = (found: readonly Finding[]) =>
  found.map(({ reason, detail }) => `${reason} (${detail})`).join(", ");
