// Whether somebody may copy a claim of another namespace: whoever may create `datavolumes/source` there. What a
// machine's template asks for is asked of the service account of its namespace, as nobody else stands for it later.
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import { forbidden } from "../../lib/status-error.ts";

const reviews = resource("authorization.k8s.io/v1", "subjectaccessreviews");
const controllers = "system:kubevirt-controller";

export interface Asker {
  username?: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

/** The claims of other namespaces that a DataVolume's spec leads to; a DataSource stands for all of its own. */
export function foreignSource(object: any): { namespace: string; name?: string } | undefined {
  const { spec, metadata } = object;
  const { pvc } = spec.source ?? {};
  if (pvc && pvc.namespace !== metadata.namespace) {
    return { namespace: pvc.namespace, name: pvc.name };
  }
  const from = spec.sourceRef?.namespace;
  return from && from !== metadata.namespace ? { namespace: from } : undefined;
}

function subjectOf({ username = "", uid, groups = [], extra }: Asker, namespace: string) {
  if (username !== controllers) {
    return { user: username, groups, ...(uid && { uid }), ...(extra && { extra }) };
  }
  const accounts = "system:serviceaccounts";
  return {
    user: `system:serviceaccount:${namespace}:default`,
    groups: [accounts, `${accounts}:${namespace}`, "system:authenticated"],
  };
}

/** Throws Forbidden. */
export async function judgeClone(client: Client, object: any, asker: Asker) {
  const source = foreignSource(object);
  if (!source) return;
  const { namespace, name } = source;
  const subject = subjectOf(asker, object.metadata.namespace);
  const { status } = await client.create(reviews, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: {
      ...subject,
      resourceAttributes: {
        ...{ namespace, verb: "create", group: "cdi.kubevirt.io", version: "v1beta1" },
        ...{ resource: "datavolumes", subresource: "source", ...(name && { name }) },
      },
    },
  } as any);
  if (status?.allowed) return;
  throw forbidden(
    { group: "cdi.kubevirt.io", resource: "datavolumes" },
    object.metadata.name ?? object.metadata.generateName ?? "",
    `User ${subject.user} has insufficient permissions in clone source namespace ${namespace}`,
  );
}
