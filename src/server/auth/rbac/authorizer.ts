// Role-based access control: a request is allowed when a rule of a role that a binding gives to the
// user, or to one of its groups, allows it. There is no deny.
import type { Attributes, Authorize } from "../../policy.ts";
import type { User } from "../../request.ts";
import { missingRole, type Grant, type RbacIndex } from "./rbac-index.ts";
import { evaluate } from "./rules.ts";

/** Members may do everything, whatever the bindings say: the way back in after a mistake in them. */
const masters = "system:masters";

export const isMaster = (user: User) => user.groups.includes(masters);

function grantText(grant: Grant): string {
  const { namespace, name, roleRef, subject } = grant;
  const binding = namespace
    ? `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`
    : `ClusterRoleBinding ${JSON.stringify(name)}`;
  const role = `${roleRef.kind} ${JSON.stringify(roleRef.name)}`;
  return `RBAC: allowed by ${binding} of ${role} to ${subject}`;
}

export function createAuthorizer(index: RbacIndex): Authorize {
  return async (user: User, asked: Attributes) => {
    if (isMaster(user)) return { allowed: true, reason: "" };
    const missing: string[] = [];
    for (const grant of index.grants(user, asked.namespace)) {
      const rules = index.rules(grant.roleRef, grant.namespace);
      if (!rules) missing.push(missingRole(grant.roleRef));
      else if (evaluate(rules, asked)) return { allowed: true, reason: grantText(grant) };
    }
    const reason = missing.length > 1 ? `[${missing.join(", ")}]` : (missing[0] ?? "");
    return { allowed: false, reason: reason && `RBAC: ${reason}` };
  };
}
