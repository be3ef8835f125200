// Defaults of the networking group that no schema expresses.
import { fill } from "../core/pod-defaults.ts";
import type { Draft } from "../object.ts";

export function networkPolicyDefaults({ spec }: Draft) {
  if (!spec) return;
  fill(spec, { policyTypes: spec.egress ? ["Ingress", "Egress"] : ["Ingress"] });
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of rule.ports ?? []) fill(port, { protocol: "TCP" });
  }
}

export function ingressClassDefaults({ spec }: Draft) {
  if (spec?.parameters) fill(spec.parameters, { scope: "Cluster" });
}
