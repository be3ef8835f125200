// Whether an object may name one of another namespace (Gateway API's ReferenceGrant). Pure.
import type { KubeObject } from "../kinds/object.ts";

export interface Reference {
  from: { kind: string; namespace: string };
  to: { kind: "Service" | "Secret"; namespace: string; name: string };
}

const gatewayGroup = "gateway.networking.k8s.io";

export function isGranted({ from, to }: Reference, grants: KubeObject[]): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(({ metadata, spec }) => {
    if (metadata.namespace !== to.namespace) return false;
    const lets = spec.from.some(
      (one: any) =>
        one.group === gatewayGroup && one.kind === from.kind && one.namespace === from.namespace,
    );
    return (
      lets &&
      spec.to.some(
        (one: any) =>
          one.group === "" && one.kind === to.kind && (!one.name || one.name === to.name),
      )
    );
  });
}
