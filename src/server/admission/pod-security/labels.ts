// The policy that a namespace's labels ask for.
import type { FieldError } from "../../../lib/status-error.ts";
import type { Level } from "./control.ts";

export interface LevelVersion {
  level: Level;
  /** Minor version; Infinity is `latest`. */
  minor: number;
}

const modes = ["enforce", "audit", "warn"] as const;
type Mode = (typeof modes)[number];

export type Policy = Record<Mode, LevelVersion>;

const prefix = "pod-security.kubernetes.io/";
const levels: readonly string[] = ["privileged", "baseline", "restricted"];

export const strictness = ({ level }: LevelVersion) => levels.indexOf(level);

/** `baseline:v1.30`, `restricted:latest`. */
export const written = ({ level, minor }: LevelVersion) =>
  `${level}:${minor === Infinity ? "latest" : `v1.${minor}`}`;

export const same = (a: LevelVersion, b: LevelVersion) =>
  a.level === b.level && a.minor === b.minor;

function minorOf(text: string): number | undefined {
  if (text === "latest") return Infinity;
  const found = /^v1\.(0|[1-9][0-9]*)$/.exec(text);
  return found ? Number(found[1]) : undefined;
}

export interface Labelled {
  policy: Policy;
  errors: FieldError[];
}

const privileged: LevelVersion = { level: "privileged", minor: Infinity };

export const noPolicy: Policy = { enforce: privileged, audit: privileged, warn: privileged };

/**
 * Where a namespace says nothing, `defaults` hold. A label that makes no sense is an error, and counts as the
 * strictest for enforcement and as nothing for the rest. Warnings follow a stricter enforcement.
 */
export function policyOf(labels: Record<string, string> = {}, defaults = noPolicy): Labelled {
  const policy: Policy = { ...defaults };
  const errors: FieldError[] = [];
  const refuse = (name: string, value: string, why: string) =>
    errors.push({
      type: "FieldValueInvalid",
      field: `metadata.labels[${name}]`,
      message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
    });
  for (const mode of modes) {
    const level = labels[prefix + mode];
    if (level !== undefined) {
      const known = levels.includes(level);
      if (!known) refuse(prefix + mode, level, `must be one of ${levels.join(", ")}`);
      const otherwise = mode === "enforce" ? "restricted" : "privileged";
      policy[mode] = { ...policy[mode], level: known ? (level as Level) : otherwise };
    }
    const name = `${prefix}${mode}-version`;
    const version = labels[name];
    if (version === undefined) continue;
    const minor = minorOf(version);
    if (minor === undefined) refuse(name, version, 'must be "latest" or "v1.x"');
    policy[mode] = { ...policy[mode], minor: minor ?? Infinity };
  }
  const { enforce, warn } = policy;
  const said = labels[`${prefix}warn`] !== undefined;
  const enforced = levels.includes(labels[`${prefix}enforce`] ?? "");
  if (!said && enforced && strictness(enforce) > strictness(warn)) {
    const ownVersion = labels[`${prefix}warn-version`] !== undefined;
    policy.warn = { level: enforce.level, minor: ownVersion ? warn.minor : enforce.minor };
  }
  return { policy, errors };
}

/** The modes that labels set to anything but privileged, `enforce=baseline:latest, warn=...`. */
export const asked = (labels: Record<string, string> = {}, policy: Policy) =>
  modes
    .filter((mode) => labels[prefix + mode] ?? labels[`${prefix}${mode}-version`])
    .filter((mode) => policy[mode].level !== "privileged")
    .map((mode) => `${mode}=${written(policy[mode])}`)
    .join(", ");
