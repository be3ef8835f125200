// How a pod that came by file differs from one of the API, by kubelet's annotations.
import type { KubeObject } from "../../kinds/object.ts";

export const annotations = {
  source: "kubernetes.io/config.source",
  hash: "kubernetes.io/config.hash",
  mirror: "kubernetes.io/config.mirror",
  seen: "kubernetes.io/config.seen",
} as const;

/** The API's picture of a static pod. */
export const isMirror = ({ metadata }: KubeObject) =>
  metadata.annotations?.[annotations.mirror] !== undefined;

/** Runs because of a file on this machine, whether or not the API knows. */
export const isStatic = (object: KubeObject) =>
  object.metadata.annotations?.[annotations.source] === "file" && !isMirror(object);
