import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { AdmissionRequest, Attributes } from "../policy.ts";
import { ownerReferences } from "./owner-references.ts";

const kinds = builtinKinds();
const pods = kinds.get("", "v1", "pods")!;

const owner = (blockOwnerDeletion: boolean, kind = "ReplicaSet") => ({
  apiVersion: "apps/v1",
  kind,
  name: "web",
  uid: "rs-1",
  blockOwnerDeletion,
});

/** Judges a write of a pod by somebody who may do `allowed`, `VERB RESOURCE[/SUBRESOURCE]`. */
async function judge(allowed: string[], now: object[], before?: object[], subresource = "") {
  const authorize = async (_: unknown, { verb, resource, subresource: part }: Attributes) => ({
    allowed: allowed.includes(`${verb} ${resource}${part && `/${part}`}`),
    reason: "no",
  });
  const pod = (ownerReferences: object[]) => ({ metadata: { name: "web-1", ownerReferences } });
  await ownerReferences({ kinds, authorize }).validate!({
    kind: pods,
    operation: before ? "UPDATE" : "CREATE",
    object: pod(now),
    old: before && pod(before),
    namespace: "default",
    name: "web-1",
    subresource,
    user: { name: "jane", groups: [] },
  } as unknown as AdmissionRequest);
}

const mayBlock = "update replicasets/finalizers";

test("who may not delete an object may not change whose it is", async () => {
  await assert.rejects(judge([], [owner(false)], []), {
    reason: "Forbidden",
    message: /pods "web-1" is forbidden: cannot set an ownerRef on a resource you can't delete: no/,
  });
  await judge(["delete pods"], [owner(false)], []);
  await judge([], [owner(false)]);
  await judge([], [owner(true)], [owner(true)]);
  await judge([], [owner(true)], [], "status");
});

test("who may not set an owner's finalizers may not block its deletion", async () => {
  const message =
    /cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't/;
  await assert.rejects(judge([], [owner(true)]), { message });
  await assert.rejects(judge(["delete pods"], [owner(true)], [owner(false)]), { message });
  await judge([mayBlock], [owner(true)]);
  await judge(["delete pods", mayBlock], [owner(true)], [owner(false)]);
});

test("an owner of a kind that is not served is blocked only by who may block all", async () => {
  await assert.rejects(judge([mayBlock], [owner(true, "Robot")]), {
    message: /cannot find RESTMapping for APIVersion apps\/v1 Kind Robot/,
  });
  await judge(["update */finalizers"], [owner(true, "Robot")]);
});
