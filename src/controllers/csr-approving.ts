// A node's agent gets its client certificate without a person, when RBAC lets the one who asks have it: for
// the node they are already (selfnodeclient), or for any (nodeclient, for bootstrap tokens).
import { resource } from "../client/client.ts";
import { timestamp } from "../lib/clock.ts";
import { conditionOf, requests } from "./csr.ts";
import type { Signing } from "./csr.ts";
import type { Controller } from "./runtime.ts";

const accessReviews = resource("authorization.k8s.io/v1", "subjectaccessreviews");

export const csrApproving = (signing: Signing): Controller => ({
  name: "csr-approving",
  inputs: [{ resource: requests }],
  outputs: [{ ...requests, resource: `${requests.resource}/approval` }, accessReviews],
  async reconcile(name, { client, clock, informer }) {
    const request = informer(requests).get(name);
    if (!request || request.status?.certificate) return;
    if (conditionOf(request, "Approved") || conditionOf(request, "Denied")) return;
    const node = signing.nodeOf(request.spec);
    if (!node) return;
    const { username: user, groups, uid, extra } = request.spec;
    const subresource = node === user ? "selfnodeclient" : "nodeclient";
    const review = await client.create(accessReviews, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        user,
        groups,
        ...(uid && { uid }),
        ...(extra && { extra }),
        resourceAttributes: {
          group: "certificates.k8s.io",
          resource: "certificatesigningrequests",
          subresource,
          verb: "create",
          version: "*",
        },
      },
    });
    if (!review.status?.allowed) return;
    const time = timestamp(clock.now());
    const approved = {
      type: "Approved",
      status: "True",
      reason: "AutoApproved",
      message: "Auto approving kubelet client certificate after SubjectAccessReview.",
      lastUpdateTime: time,
      lastTransitionTime: time,
    };
    const conditions = [...(request.status?.conditions ?? []), approved];
    const metadata = { resourceVersion: request.metadata.resourceVersion };
    const target = { ...requests, name, subresource: "approval" };
    await client.patch(target, "merge", { metadata, status: { conditions } });
  },
});
