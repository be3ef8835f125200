// A site's agent gets its first certificate by a token that was made for that very site, or from a person
// (kubectl certificate approve); later ones it renews as itself, while RBAC lets it.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Controller } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import {
  agentUser,
  clusterGroup,
  clusterNameLabel,
  managedClustersGroup,
  siteGroup,
} from "../names.ts";

const requests = resource("certificates.k8s.io/v1", "certificatesigningrequests");
const reviews = resource("authorization.k8s.io/v1", "subjectaccessreviews");
const clientSigner = "kubernetes.io/kube-apiserver-client";

export interface Subject {
  commonName: string;
  organizations: readonly string[];
}

/** Whose certificate a request asks for; undefined when its label, name and groups do not agree. Pure. */
export function clusterOf(request: KubeObject, subject: Subject): string | undefined {
  const cluster = request.metadata.labels?.[clusterNameLabel];
  if (!cluster || request.spec.signerName !== clientSigner) return undefined;
  const { commonName, organizations } = subject;
  const wanted = new Set([clusterGroup(cluster), managedClustersGroup]);
  if (!organizations.includes(clusterGroup(cluster))) return undefined;
  if (organizations.some((one) => !wanted.has(one))) return undefined;
  const prefix = agentUser(cluster, "");
  const agent = commonName.startsWith(prefix) ? commonName.slice(prefix.length) : "";
  return agent && !agent.includes(":") ? cluster : undefined;
}

export type Decision = "wait" | "first" | "renewal";

/** Pure; a renewal still needs the right to renew. */
export function decisionOf(request: KubeObject, cluster: string, subject: Subject): Decision {
  const { username, groups = [] } = request.spec;
  if (username === subject.commonName) return "renewal";
  return groups.includes(siteGroup(cluster)) ? "first" : "wait";
}

async function mayRenew(client: Client, { spec }: KubeObject, cluster: string): Promise<boolean> {
  const { username: user, groups, uid, extra } = spec;
  const review = await client.create(reviews, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: {
      user,
      groups,
      ...(uid && { uid }),
      ...(extra && { extra }),
      resourceAttributes: {
        group: "register.open-cluster-management.io",
        resource: "managedclusters",
        subresource: "clientcertificates",
        name: cluster,
        verb: "renew",
      },
    },
  });
  return review.status?.allowed === true;
}

/** `subjectOf` reads a PKCS #10 request in PEM; undefined for one that cannot be read. */
export const clusterCsr = (subjectOf: (pem: string) => Subject | undefined): Controller => ({
  name: "managed-cluster-csr",
  inputs: [{ resource: requests, labelSelector: clusterNameLabel }],
  outputs: [{ ...requests, resource: `${requests.resource}/approval` }, reviews],
  async reconcile(name, { client, clock, informer }) {
    const request = informer(requests).get(name);
    const decided = request?.status?.conditions?.length > 0;
    if (!request || decided) return;
    const subject = subjectOf(Buffer.from(request.spec.request, "base64").toString());
    const cluster = subject && clusterOf(request, subject);
    if (!subject || !cluster) return;
    const decision = decisionOf(request, cluster, subject);
    if (decision === "wait") return;
    if (decision === "renewal" && !(await mayRenew(client, request, cluster))) return;
    const time = timestamp(clock.now());
    const approved = {
      type: "Approved",
      status: "True",
      reason: "AutoApprovedByHubCSRApprovingController",
      message:
        decision === "first"
          ? `asked for with a token that was made for the site ${cluster}`
          : `the site ${cluster} renews its own certificate`,
      lastUpdateTime: time,
      lastTransitionTime: time,
    };
    const metadata = { resourceVersion: request.metadata.resourceVersion };
    const target = { ...requests, name, subresource: "approval" };
    await client.patch(target, "merge", { metadata, status: { conditions: [approved] } });
  },
});
