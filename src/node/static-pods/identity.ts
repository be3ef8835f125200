// How a pod that came by file differs from one of the API, by kubelet's annotations.
import type { KubeObject } from "../../kinds/object.ts";

export const annotations = {
  source: "kubernetes.io/config.source",
  hash: "kubernetes.io/config.hash",
  mirror: "kubernetes.io/config.mirror",
  seen: "kubernetes.io/config.seen",
} as const;

export const isStatic = ({ metadata }: KubeObject) =>
  metadata.annotations?.[annotations.source] === "file";
