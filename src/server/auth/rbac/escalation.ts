// Nobody may grant what they do not have. Writing a role asks for every permission in it, or for the
// verb `escalate`; writing a binding asks for every permission of its role, or for the verb `bind`.
import type { KubeObject } from "../../../kinds/object.ts";
import { jsonEqual } from "../../../lib/json.ts";
import { forbidden, notFound } from "../../../lib/status-error.ts";
import type { Admission, AdmissionRequest, Authorize } from "../../policy.ts";
import { isMaster } from "./authorizer.ts";
import { rbacGroup, type RbacIndex } from "./rbac-index.ts";
import { type PolicyRule, ruleText, uncovered } from "./rules.ts";

const everything: PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

const roleResources: Record<string, string> = { Role: "roles", ClusterRole: "clusterroles" };

export function rbacEscalation(index: RbacIndex, authorize: Authorize): Admission {
  const may = async (request: AdmissionRequest, verb: string, resource: string, name: string) => {
    const { namespace, user } = request;
    const asked = { verb, resource, name, namespace, group: rbacGroup, version: "v1" };
    return (await authorize(user, { ...asked, subresource: "", path: "" })).allowed;
  };

  function demand(request: AdmissionRequest, rules: readonly PolicyRule[]) {
    const { user, namespace, name, kind } = request;
    const held = index.rulesFor(user, namespace);
    const missing = uncovered(held.rules, rules);
    if (missing.length === 0) return;
    const groups = user.groups.map((group) => JSON.stringify(group)).join(" ");
    const who = `user ${JSON.stringify(user.name)} (groups=[${groups}])`;
    const errors = held.errors.length > 0 ? `; resolution errors: [${held.errors.join(", ")}]` : "";
    throw forbidden(
      { group: rbacGroup, resource: kind.plural },
      name,
      `${who} is attempting to grant RBAC permissions not currently held:\n` +
        missing.map(ruleText).join("\n") +
        errors,
    );
  }

  async function judgeRole(request: AdmissionRequest, role: KubeObject) {
    const { old, kind, name } = request;
    const same =
      old &&
      jsonEqual(old["rules"] ?? [], role["rules"] ?? []) &&
      jsonEqual(old["aggregationRule"] ?? null, role["aggregationRule"] ?? null);
    if (same || (await may(request, "escalate", kind.plural, name))) return;
    if (role["aggregationRule"]) demand(request, everything);
    demand(request, role["rules"] ?? []);
  }

  async function judgeBinding(request: AdmissionRequest, binding: KubeObject) {
    const { old, namespace } = request;
    const { roleRef } = binding;
    const same =
      old &&
      jsonEqual(old["subjects"] ?? [], binding["subjects"] ?? []) &&
      jsonEqual(old["roleRef"], roleRef);
    const resource = roleResources[roleRef.kind];
    if (same || !resource || (await may(request, "bind", resource, roleRef.name))) return;
    const rules = index.rules(roleRef, namespace);
    if (!rules) throw notFound({ group: rbacGroup, resource }, roleRef.name);
    demand(request, rules);
  }

  return {
    name: "RbacEscalation",
    async validate(request) {
      const { kind, object, user } = request;
      if (kind.group !== rbacGroup || !object || isMaster(user)) return;
      if (kind.plural === "roles" || kind.plural === "clusterroles") {
        await judgeRole(request, object);
      } else {
        await judgeBinding(request, object);
      }
    },
  };
}
