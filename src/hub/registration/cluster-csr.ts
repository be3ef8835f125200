// A site's agent gets its first certificate by a token that was made for that very site, by a rule, or from a
// person (kubectl certificate approve). Later ones it asks for as itself, while RBAC lets it, or with the last one
// after it ran out.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { accessReviews, requesterMay } from "../../controllers/requester-review.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import { autoAcceptRules } from "../kinds/fleet.ts";
import { managedClusters } from "../kinds/resources.ts";
import { acceptingRule, wasRefused } from "./auto-accept.ts";
import type { AutoAcceptRule } from "./auto-accept.ts";
import { fingerprintOf, lineageOf, nextLineage, writeLineage } from "./lineage.ts";
import { credentialOf, returningGroup, returningName } from "./returning.ts";
import {
  agentUser,
  clusterGroup,
  clusterNameLabel,
  managedClustersGroup,
  siteGroup,
} from "../names.ts";

const requests = resource("certificates.k8s.io/v1", "certificatesigningrequests");
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

const byCluster = "by-cluster";

const requestsOf = ({ informer }: ControllerContext, cluster: string): string[] =>
  informer(requests)
    .byIndex(byCluster, cluster)
    .map(({ metadata }) => metadata.name);

/** The site's namespace is made a moment later; what waits for it is tried again. */
const unlessNew = (error: unknown) => {
  if (isStatus(error, "NotFound")) throw new Error("the site's namespace is not there yet");
  throw error;
};

/** A site has at most so many requests that nobody decided on. */
const pendingMax = 10;

export type Decision =
  /** A person decides. */
  | "wait"
  /** Came with a token that was made for the site. */
  | "invited"
  /** Asks as itself, while RBAC lets it. */
  | "renewal"
  /** Asks with its expired certificate. */
  | "return";

/** Pure; says by what the request is to be judged, not yet that it passes. */
export function decisionOf(request: KubeObject, cluster: string, subject: Subject): Decision {
  const { username, groups = [] } = request.spec;
  if (username === subject.commonName) return "renewal";
  if (username === returningName(subject.commonName) && groups.includes(returningGroup)) {
    return "return";
  }
  return groups.includes(siteGroup(cluster)) ? "invited" : "wait";
}

const mayRenew = (client: Client, request: KubeObject, cluster: string) =>
  requesterMay(client, request, {
    group: "register.open-cluster-management.io",
    resource: "managedclusters",
    subresource: "clientcertificates",
    name: cluster,
    verb: "renew",
  });

const isDecided = ({ status }: KubeObject) => (status?.conditions ?? []).length > 0;

/** Undefined: nobody may say yes but a person. */
async function approvalOf(
  { client, informer }: ControllerContext,
  request: KubeObject,
  { cluster, subject }: { cluster: string; subject: Subject },
): Promise<string | undefined> {
  const decision = decisionOf(request, cluster, subject);
  if (decision === "invited") return `asked for with a token that was made for the site ${cluster}`;
  const known = informer(managedClusters).get(cluster);
  if (!known || known.metadata.deletionTimestamp) return undefined;
  const lineage = await lineageOf(client, cluster);
  if (decision === "wait") {
    if (lineage !== undefined || wasRefused(known)) return undefined;
    const { username, groups = [] } = request.spec;
    const rules = informer(autoAcceptRules).list() as AutoAcceptRule[];
    const rule = acceptingRule(rules, { cluster, username, groups });
    if (!rule) return undefined;
    await acceptBy(client, cluster, rule.spec.labels);
    return `the rule ${rule.metadata.name} accepts the site ${cluster}`;
  }
  const shown = credentialOf(request.spec.extra);
  // Hubs that do not say by which certificate somebody came cannot tell an older one.
  if (lineage && shown && !lineage.certificates.includes(shown)) return undefined;
  if (decision === "return") {
    if (!known.spec?.hubAcceptsClient || !lineage || !shown) return undefined;
    return `the site ${cluster} is back, with its last certificate`;
  }
  if (!(await mayRenew(client, request, cluster))) return undefined;
  return `the site ${cluster} renews its own certificate`;
}

async function acceptBy(client: Client, cluster: string, labels: Record<string, string> = {}) {
  const body = { metadata: { labels }, spec: { hubAcceptsClient: true } };
  await client.patch({ ...managedClusters, name: cluster }, "merge", body);
}

/** What is remembered of a certificate once it is given. */
async function remember(client: Client, request: KubeObject, cluster: string) {
  const known = await lineageOf(client, cluster);
  const next = nextLineage(known, {
    shown: credentialOf(request.spec.extra),
    certificate: fingerprintOf(Buffer.from(request.status!.certificate, "base64").toString()),
    askedAt: request.metadata.creationTimestamp!,
  });
  if (next !== known) await writeLineage(client, cluster, next);
}

async function decide(client: Client, request: KubeObject, condition: object, time: string) {
  const { name, resourceVersion } = request.metadata;
  const decided = { status: "True", ...condition, lastUpdateTime: time, lastTransitionTime: time };
  const target = { ...requests, name, subresource: "approval" };
  const status = { conditions: [decided] };
  await client.patch(target, "merge", { metadata: { resourceVersion }, status });
}

/** `subjectOf` reads a PKCS #10 request in PEM; undefined for one that cannot be read. */
export const clusterCsr = (subjectOf: (pem: string) => Subject | undefined): Controller => ({
  name: "managed-cluster-csr",
  inputs: [
    { resource: requests, labelSelector: clusterNameLabel },
    {
      resource: managedClusters,
      keys: ({ metadata, spec }, context, previous) =>
        // Reading a request costs a signature, and nothing else of a site matters to it.
        previous && previous.spec?.hubAcceptsClient === spec?.hubAcceptsClient
          ? []
          : requestsOf(context, metadata.name),
    },
    {
      resource: autoAcceptRules,
      keys: (_, { informer }) =>
        informer(requests)
          .list()
          .filter((one) => !isDecided(one))
          .map(({ metadata }) => metadata.name),
    },
  ],
  outputs: [
    { ...requests, resource: `${requests.resource}/approval` },
    accessReviews,
    managedClusters,
  ],
  start({ informer }) {
    informer(requests).addIndex(byCluster, ({ metadata }) => [
      metadata.labels?.[clusterNameLabel] ?? "",
    ]);
  },
  async reconcile(name, context) {
    const { client, clock, informer } = context;
    const request = informer(requests).get(name);
    if (!request) return;
    const subject = subjectOf(Buffer.from(request.spec.request, "base64").toString());
    const cluster = subject && clusterOf(request, subject);
    if (!subject || !cluster) return;
    if (request.status?.certificate) {
      const at = informer(managedClusters).get(cluster);
      // Its namespace comes with its acceptance, which wakes this again; what an earlier site of the name had is over.
      const isOfThisSite =
        at && request.metadata.creationTimestamp! >= at.metadata.creationTimestamp!;
      if (isOfThisSite && at.spec?.hubAcceptsClient)
        await remember(client, request, cluster).catch(unlessNew);
      return;
    }
    if (isDecided(request)) return;
    const time = timestamp(clock.now());
    const message = await approvalOf(context, request, { cluster, subject });
    if (message !== undefined) {
      const reason = "AutoApprovedByHubCSRApprovingController";
      return decide(client, request, { type: "Approved", reason, message }, time);
    }
    const pending = requestsOf(context, cluster).filter(
      (one) => !isDecided(informer(requests).get(one)!),
    );
    if (pending.length <= pendingMax) return;
    const why = `the site ${cluster} has more than ${pendingMax} requests that wait`;
    const denied = { type: "Denied", reason: "TooManyPending", message: why };
    await decide(client, request, denied, time);
  },
});
