// OwnerReferencesPermissionEnforcement: who may not delete an object may not change who owns it, and who may
// not update an owner's finalizers may not block its deletion.
import type { Kinds } from "../../kinds/kinds.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Admission, AdmissionRequest, Attributes, Authorize } from "../policy.ts";
import { refuse } from "./refuse.ts";

interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  blockOwnerDeletion?: boolean;
}

interface Options {
  kinds: Kinds;
  authorize: Authorize;
}

const ownersOf = (object: KubeObject | undefined) =>
  (object?.metadata.ownerReferences ?? []) as OwnerReference[];

/** References that block their owner and did not before. Pure. */
export function newlyBlocking(object: KubeObject, old: KubeObject | undefined): OwnerReference[] {
  const before = new Set(ownersOf(old).flatMap((one) => (one.blockOwnerDeletion ? [one.uid] : [])));
  return ownersOf(object).filter((one) => one.blockOwnerDeletion && !before.has(one.uid));
}

/** What must be allowed to block the owner; undefined for a kind that is not served. */
function finalizersOf(kinds: Kinds, owner: OwnerReference, namespace: string) {
  const slash = owner.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : owner.apiVersion.slice(0, slash);
  const version = owner.apiVersion.slice(slash + 1);
  const kind = kinds
    .all()
    .find((one) => one.kind === owner.kind && one.group === group && one.version === version);
  if (!kind) return undefined;
  const attributes: Attributes = {
    verb: "update",
    group,
    version,
    resource: kind.plural,
    subresource: "finalizers",
    namespace: kind.namespaced ? namespace : "",
    name: owner.name,
    path: "",
  };
  return attributes;
}

/** Asked first: with this, a kind that another server has need not be known here. */
const anyFinalizers: Attributes = {
  verb: "update",
  group: "*",
  version: "*",
  resource: "*",
  subresource: "finalizers",
  namespace: "",
  name: "*",
  path: "",
};

async function judgeBlocking(request: AdmissionRequest, owners: OwnerReference[], to: Options) {
  if (owners.length === 0) return;
  if ((await to.authorize(request.user, anyFinalizers)).allowed) return;
  for (const owner of owners) {
    const asked = finalizersOf(to.kinds, owner, request.namespace);
    const text = "cannot set blockOwnerDeletion";
    if (!asked) {
      const { apiVersion, kind } = owner;
      throw refuse(
        request,
        `${text} in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kind}`,
      );
    }
    if (!(await to.authorize(request.user, asked)).allowed) {
      throw refuse(
        request,
        `${text} if an ownerReference refers to a resource you can't set finalizers on: `,
      );
    }
  }
}

export const ownerReferences = (options: Options): Admission => ({
  name: "OwnerReferencesPermissionEnforcement",
  async validate(request) {
    const { kind, object, old, operation, namespace, name, subresource, user } = request;
    if (!object || (operation !== "CREATE" && operation !== "UPDATE")) return;
    if (subresource === "status" || jsonEqual(ownersOf(object), ownersOf(old))) return;
    const { group, version, plural } = kind;
    const asked = { verb: "delete", group, version, resource: plural, subresource };
    const where = { namespace, name: operation === "CREATE" ? "" : name, path: "" };
    // Who creates an object may say whose it is.
    if (operation === "UPDATE") {
      const { allowed, reason } = await options.authorize(user, { ...asked, ...where });
      if (!allowed) {
        throw refuse(
          request,
          `cannot set an ownerRef on a resource you can't delete: ${reason}, <nil>`,
        );
      }
    }
    await judgeBlocking(request, newlyBlocking(object, old), options);
  },
});
