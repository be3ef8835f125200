// A node's agent gets its client certificate without a person, when RBAC lets the one who asks have it: for
// the node they are already (selfnodeclient), or for any (nodeclient, for bootstrap tokens).
import { resource } from "../client/client.ts";
import type { Client } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { returningNodeName } from "../lib/returning-node.ts";
import { isStatus } from "../lib/status-error.ts";
import { timestamp } from "../lib/clock.ts";
import { conditionOf, requests } from "./csr.ts";
import type { Signing } from "./csr.ts";
import { accessReviews, requesterMay } from "./requester-review.ts";
import type { Controller } from "./runtime.ts";

const nodes = resource("v1", "nodes");

/** A certificate is looked at again this often while its node's name is in use. */
const inUseMs = 5000;

const nodeNamed = (client: Client, user: string): Promise<KubeObject | undefined> =>
  client.get({ ...nodes, name: user.replace("system:node:", "") }).catch((error: unknown) => {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  });

const isReady = (node: KubeObject | undefined) =>
  node?.status?.conditions?.some((one: any) => one.type === "Ready" && one.status === "True");

export const csrApproving = (signing: Signing): Controller => ({
  name: "csr-approving",
  inputs: [{ resource: requests }],
  outputs: [{ ...requests, resource: `${requests.resource}/approval` }, accessReviews],
  async reconcile(name, { client, clock, informer, event, wakeAfter }) {
    const request = informer(requests).get(name);
    if (!request || request.status?.certificate) return;
    if (conditionOf(request, "Approved") || conditionOf(request, "Denied")) return;
    const node = signing.nodeOf(request.spec);
    if (!node) return;
    const { username: user } = request.spec;
    const returns = user === returningNodeName(node);
    const known = node === user ? undefined : await nodeNamed(client, node);
    // One that was removed meanwhile does not come back by an old certificate.
    if (returns && !known) return;
    const subresource = node === user || returns ? "selfnodeclient" : "nodeclient";
    const allowed = await requesterMay(client, request, {
      group: "certificates.k8s.io",
      resource: "certificatesigningrequests",
      subresource,
      verb: "create",
      version: "*",
    });
    if (!allowed) return;
    // A node that is well has its agent: whoever has a token does not become that node, and reads none of its Secrets.
    if (!returns && isReady(known)) {
      const of = known!.metadata.name;
      event(request, "Warning", "NodeIsReady", `node ${of} is Ready: nobody else gets its name`);
      return wakeAfter(name, inUseMs);
    }
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
