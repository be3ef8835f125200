// Whether the account that a work names may do at the site what the work asks for.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Identifier } from "./manifest.ts";

const reviews = resource("authorization.k8s.io/v1", "subjectaccessreviews");
const verbs = ["get", "create", "update", "patch", "delete"];
/** Who writes such objects gives rights away. */
const giving: Record<string, string> = {
  roles: "escalate",
  clusterroles: "escalate",
  rolebindings: "bind",
  clusterrolebindings: "bind",
};

/** Why not, in words; undefined when there is no executor or it may. */
export async function executorRefusal(
  site: Client,
  executor: any,
  { group, version, resource: plural, namespace, name }: Identifier,
): Promise<string | undefined> {
  const subject = executor?.subject;
  if (!subject) return undefined;
  if (subject.type !== "ServiceAccount" || !subject.serviceAccount) {
    return `executor.subject.type: ${subject.type} is not supported`;
  }
  const account = subject.serviceAccount;
  const user = `system:serviceaccount:${account.namespace}:${account.name}`;
  const groups = [
    "system:serviceaccounts",
    `system:serviceaccounts:${account.namespace}`,
    "system:authenticated",
  ];
  const rbac = group === "rbac.authorization.k8s.io" ? giving[plural] : undefined;
  for (const verb of rbac ? [...verbs, rbac] : verbs) {
    const resourceAttributes = { group, version, resource: plural, namespace, name, verb };
    const review = await site.create(reviews, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: { user, groups, resourceAttributes },
    });
    if (!review.status?.allowed) {
      return `not allowed to apply the resource ${group} ${plural}, ${namespace} ${name}: ${user} may not ${verb} it`;
    }
  }
  return undefined;
}
