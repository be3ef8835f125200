// What the controls of the Pod Security Standards share: a pod's parts, and how a finding is told.

/** Labels, annotations and a PodSpec: of a pod, or of a template that pods are made from. */
export interface PodShape {
  annotations: Record<string, string>;
  spec: any;
}

/** What a control found: a short name of the rule, and where the pod breaks it. */
export interface Finding {
  reason: string;
  detail: string;
}

/** One rule. `minor` is of the Kubernetes version whose standards are asked for. Pure. */
export type Control = (pod: PodShape, minor: number) => Finding | undefined;

/** Containers of every sort. */
export const containersOf = ({ spec }: PodShape): any[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

export const quoted = (names: readonly unknown[]) =>
  names.map((name) => JSON.stringify(name)).join(", ");

export const plural = (word: string, names: readonly unknown[]) =>
  `${word}${names.length === 1 ? "" : "s"}`;

/** `container "a"`, `containers "a", "b"`. */
export const named = (containers: readonly any[]) =>
  `${plural("container", containers)} ${quoted(containers.map(({ name }) => name))}`;

export const isWindows = ({ spec }: PodShape) => spec.os?.name === "windows";
