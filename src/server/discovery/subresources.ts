// What discovery says of subresources: the kind they speak and the verbs they take.
import type { Kind } from "../../kinds/kind.ts";
import { isPart } from "../parts.ts";

const partVerbs = ["get", "patch", "update"];

/** Kinds that a subresource speaks, where it is not the object's own. */
const foreignKinds: Record<string, { group: string; version: string; kind: string }> = {
  scale: { group: "autoscaling", version: "v1", kind: "Scale" },
  eviction: { group: "policy", version: "v1", kind: "Eviction" },
  token: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
};

const optionKinds: Record<string, string> = {
  exec: "PodExecOptions",
  attach: "PodAttachOptions",
  portforward: "PodPortForwardOptions",
  binding: "Binding",
};

export function subresourceKind(kind: Kind, subresource: string) {
  const foreign = foreignKinds[subresource];
  if (foreign) return foreign;
  if (subresource === "proxy") {
    return { kind: `${kind.kind}ProxyOptions` };
  }
  return { kind: optionKinds[subresource] ?? kind.kind };
}

export function subresourceVerbs(kind: Kind, subresource: string): string[] {
  if (subresource === "finalize") return ["update"];
  if (isPart(kind, subresource) || subresource === "scale") return partVerbs;
  if (subresource === "log") return ["get"];
  if (subresource === "proxy") return ["create", "delete", "get", "patch", "update"];
  if (["exec", "attach", "portforward"].includes(subresource)) return ["create", "get"];
  return ["create"];
}
