// The Service before the brokers of one device, or of all devices of a Configuration. Pure.
import { controllerReference } from "../../controllers/pod-template.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { NamedDraft } from "../agent/plan-instances.ts";
import { controllerName, labels, serviceName } from "./names.ts";

export type ServiceOf = "Instance" | "Configuration";

const labelOf = { Instance: labels.instance, Configuration: labels.configuration };

export function brokerService(
  owner: KubeObject,
  kind: ServiceOf,
  spec: Record<string, any>,
): NamedDraft {
  const { name: of, namespace } = owner.metadata;
  const name = serviceName(of);
  const label = { [labelOf[kind]]: of };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name,
      namespace: namespace!,
      labels: { [labels.app]: name, [labels.controller]: controllerName, ...label },
      ownerReferences: [{ ...controllerReference(owner), apiVersion: "akri.sh/v0", kind }],
    },
    spec: {
      ...spec,
      selector: { ...spec["selector"], [labels.controller]: controllerName, ...label },
    },
  };
}

const isLive = ({ metadata, status }: KubeObject) =>
  !metadata.deletionTimestamp && !["Succeeded", "Failed"].includes(status?.phase);

/** Made once a broker runs, removed when none is left; in between all stays as it is. */
export function serviceFate(pods: KubeObject[]): "make" | "keep" | "remove" {
  const live = pods.filter(isLive);
  if (live.some(({ status }) => status?.phase === "Running")) return "make";
  return live.length > 0 ? "keep" : "remove";
}
