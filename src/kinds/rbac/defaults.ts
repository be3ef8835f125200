// Defaults of the RBAC group: subjects and role references say their API group.
import { fillEmpty } from "../core/pod-defaults.ts";
import type { Draft } from "../object.ts";

const group = "rbac.authorization.k8s.io";

export function bindingDefaults(binding: Draft) {
  if (binding["roleRef"]) fillEmpty(binding["roleRef"], { apiGroup: group });
  for (const subject of binding["subjects"] ?? []) {
    if (subject.kind !== "ServiceAccount") fillEmpty(subject, { apiGroup: group });
  }
}
