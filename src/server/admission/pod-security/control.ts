// What the controls of the Pod Security Standards share: their form, and the phrases of their refusals,
// which are upstream's since people and tests look for them.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/

export type Level = "privileged" | "baseline" | "restricted";

/** A pod or a pod template, as far as a control reads it. */
export interface PodLike {
  metadata?: { annotations?: Record<string, string> };
  spec: any;
}

/** Why a pod breaks a control: `hostPort (container "web" uses hostPort 80)`. */
export interface Violation {
  reason: string;
  detail: string;
}

export type Check = (pod: PodLike) => Violation | undefined;

export interface Control {
  id: string;
  level: "baseline" | "restricted";
  /** By the minor version of Kubernetes from which they count, oldest first. */
  versions: { since: number; check: Check }[];
  /** The baseline control whose place this one takes. */
  replaces?: string;
}

/** In the order upstream visits them. */
export const containersOf = ({ spec }: PodLike): any[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

export const quoted = (items: Iterable<string>) => [...items].map((item) => `"${item}"`).join(", ");

export const sorted = (items: Iterable<string>) => [...items].sort();

/** `container "a"`, `volumes "a", "b"`. */
export const counted = (noun: string, names: string[]) =>
  `${plural(noun, names.length)} ${quoted(names)}`;

export const plural = (noun: string, count: number) => (count === 1 ? noun : `${noun}s`);

/** `pod and containers "a", "b"`: who set what must not be set. Empty when nobody did. */
export function setters(pod: boolean, containers: string[]): string[] {
  const found = pod ? ["pod"] : [];
  if (containers.length > 0) found.push(counted("container", containers));
  return found;
}

/** From 1.25 on, pods that say they are for Windows need not set what only Linux has. */
export const exceptOnWindows =
  (check: Check): Check =>
  (pod) =>
    pod.spec.os?.name === "windows" ? undefined : check(pod);

/** From 1.35 on, root inside a user namespace of its own is nobody outside. */
export const exceptInUserNamespace =
  (check: Check): Check =>
  (pod) =>
    pod.spec.hostUsers === false ? undefined : check(pod);
