// What a node's agent may write is about its own node only: its Node, Lease and CSINode, the pods bound to
// it, and tokens of those pods' accounts. Others do not pass here.
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { readCertificateRequest } from "../auth/certificate-request.ts";
import { nodeOf } from "../auth/node/node-identity.ts";
import { podReferences } from "../../kinds/pod-references.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { refuse } from "./refuse.ts";

interface Judged {
  node: string;
  request: AdmissionRequest;
  reader: ObjectReader;
}

const mirror = "kubernetes.io/config.mirror";
const kubeletSigners = [
  "kubernetes.io/kube-apiserver-client-kubelet",
  "kubernetes.io/kubelet-serving",
];

/** Labels of Kubernetes' own that a node may give itself. */
const ownLabels = new Set([
  "kubernetes.io/arch",
  "kubernetes.io/hostname",
  "kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/instance-type",
  "beta.kubernetes.io/os",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.kubernetes.io/region",
  "failure-domain.kubernetes.io/zone",
  "node.kubernetes.io/instance-type",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);

const within = (name: string, domain: string) => name === domain || name.endsWith(`.${domain}`);

function mayLabel(label: string): boolean {
  const domain = label.includes("/") ? label.slice(0, label.indexOf("/")) : "";
  if (within(domain, "node-restriction.kubernetes.io")) return false;
  if (!within(domain, "kubernetes.io") && !within(domain, "k8s.io")) return true;
  if (within(domain, "kubelet.kubernetes.io") || within(domain, "node.kubernetes.io")) return true;
  return ownLabels.has(label);
}

/** Labels that differ between the two and that no node may set. Pure. */
export function forbiddenLabels(object: KubeObject, old: KubeObject | undefined): string[] {
  const now = object.metadata.labels ?? {};
  const before = old?.metadata.labels ?? {};
  return Object.keys({ ...now, ...before })
    .filter((label) => now[label] !== before[label] && !mayLabel(label))
    .sort();
}

/** Why a node may not make `pod`; undefined when it may. Pure. */
export function refusedMirrorPod(node: string, pod: KubeObject): string | undefined {
  const { annotations = {}, ownerReferences = [] } = pod.metadata;
  if (annotations[mirror] === undefined) {
    return `pod does not have "${mirror}" annotation, node "${node}" can only create mirror pods`;
  }
  if (pod.spec.nodeName !== node) {
    return `node "${node}" can only create pods with spec.nodeName set to itself`;
  }
  const [owner] = ownerReferences as any[];
  if (ownerReferences.length > 1 || owner?.apiVersion !== "v1" || owner?.kind !== "Node") {
    return `node "${node}" can only create pods with a single owner reference set to itself`;
  }
  if (owner.name !== node || owner.controller !== true || owner.blockOwnerDeletion) {
    return `node "${node}" can only create pods with an owner reference set to itself`;
  }
  const plain = { ...pod, metadata: { ...pod.metadata, annotations: {} } };
  const [first] = podReferences(plain);
  return first && `node "${node}" can not create pods that reference ${first.split("/")[0]}`;
}

async function judgePod({ node, request, reader }: Judged) {
  const { operation, object, namespace, name, subresource } = request;
  const old = request.old ?? (await reader.get(`pods/${namespace}/${name}`));
  const ours = old?.spec.nodeName === node;
  const only = (what: string) =>
    refuse(request, `node "${node}" can only ${what} pods with spec.nodeName set to itself`);
  if (subresource === "eviction" || operation === "DELETE") {
    if (old && !ours) throw only(subresource ? "evict" : "delete");
    return;
  }
  if (subresource === "" && operation === "CREATE") {
    const why = refusedMirrorPod(node, object!);
    if (why) throw refuse(request, why);
    return;
  }
  if (subresource !== "status") {
    throw refuse(
      request,
      `unexpected operation "${operation}", node "${node}" can only create and delete mirror pods`,
    );
  }
  if (!ours) throw only("update pod status for");
  if (!jsonEqual(object!.metadata.labels ?? {}, old.metadata.labels ?? {})) {
    throw refuse(request, `node "${node}" cannot update labels through pod status`);
  }
  // They say which ResourceClaims the node reads.
  for (const claims of ["resourceClaimStatuses", "extendedResourceClaimStatus"]) {
    if (!jsonEqual(object!.status?.[claims] ?? [], old.status?.[claims] ?? [])) {
      throw refuse(request, `node "${node}" cannot update resource claim statuses`);
    }
  }
}

function judgeNode({ node, request }: Judged) {
  const { object, old, operation } = request;
  const name = object?.metadata.name || request.name;
  if (name !== node) {
    throw refuse(request, `node "${node}" is not allowed to modify node "${name}"`);
  }
  if (!object) return;
  const labels = forbiddenLabels(object, old).join(", ");
  if (labels && operation === "CREATE") {
    throw refuse(request, `node "${node}" is not allowed to set the following labels: ${labels}`);
  }
  if (labels) throw refuse(request, `is not allowed to modify labels: ${labels}`);
  if (!old) return;
  if (!jsonEqual(object.spec?.taints ?? [], old.spec?.taints ?? [])) {
    throw refuse(request, `node "${node}" is not allowed to modify taints`);
  }
  // With an owner that does not exist the Node would be collected, and made anew without what it may not take off.
  if (!jsonEqual(object.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? [])) {
    throw refuse(request, `node "${node}" is not allowed to modify ownerReferences`);
  }
}

function judgeLease({ node, request }: Judged) {
  if (request.namespace !== "kube-node-lease") {
    throw refuse(request, 'can only access leases in the "kube-node-lease" system namespace');
  }
  if ((request.object?.metadata.name || request.name) !== node) {
    throw refuse(request, "can only access node lease with the same name as the requesting node");
  }
}

function judgeCsiNode({ node, request }: Judged) {
  if ((request.object?.metadata.name || request.name) !== node) {
    throw refuse(request, "can only access CSINode with the same name as the requesting node");
  }
}

function judgeResourceSlice({ node, request }: Judged) {
  const slice = request.object ?? request.old;
  if (slice && slice.spec?.nodeName !== node) {
    throw refuse(
      request,
      "can only modify ResourceSlice with the same node name as the requesting node",
    );
  }
}

function judgeCertificateRequest({ request }: Judged) {
  const { operation, subresource, object, user } = request;
  if (operation !== "CREATE" || subresource !== "") return;
  if (!kubeletSigners.includes(object!.spec?.signerName)) return;
  let commonName: string | undefined;
  try {
    const pem = Buffer.from(object!.spec.request ?? "", "base64").toString();
    commonName = readCertificateRequest(pem).subject.commonName;
  } catch (error) {
    throw refuse(request, `unable to parse csr: ${String(error)}`);
  }
  if (commonName !== user.name) {
    throw refuse(request, `can only create a node CSR with CN=${user.name}`);
  }
}

/** An object without what every write changes and without `fields` of its metadata or status. */
function besides(object: KubeObject, fields: readonly string[]) {
  const { metadata, status, ...others } = object;
  const without = (part: object = {}) =>
    Object.fromEntries(
      Object.entries(part).filter(([name]) => !written.includes(name) && !fields.includes(name)),
    );
  return { ...others, metadata: without(metadata), status: without(status) };
}

const written = ["managedFields", "generation", "resourceVersion"];
const claimFields = [
  ...["capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"],
  ...["currentVolumeAttributesClassName", "modifyVolumeStatus"],
];

/** What lies on a node is gone once it says so, and it says nothing else of a volume. */
function judgeVolume({ node, request }: Judged) {
  const { object, old } = request;
  const kept = ["finalizers"];
  if (object && old && jsonEqual(besides(object, kept), besides(old, kept))) return;
  throw refuse(request, `node "${node}" can only take finalizers off volumes that lie on it`);
}

/** How large a claim has become, and what stands in the way. */
function judgeClaim({ node, request }: Judged) {
  const { object, old, subresource } = request;
  const isStatus = subresource === "status" && object && old;
  if (isStatus && jsonEqual(besides(object, claimFields), besides(old, claimFields))) return;
  throw refuse(
    request,
    `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`,
  );
}

const judges: Record<string, (judged: Judged) => void | Promise<void>> = {
  pods: judgePod,
  nodes: judgeNode,
  persistentvolumes: judgeVolume,
  persistentvolumeclaims: judgeClaim,
  "leases.coordination.k8s.io": judgeLease,
  "csinodes.storage.k8s.io": judgeCsiNode,
  "resourceslices.resource.k8s.io": judgeResourceSlice,
  "certificatesigningrequests.certificates.k8s.io": judgeCertificateRequest,
};

export const nodeRestriction = (reader: ObjectReader): Admission => ({
  name: "NodeRestriction",
  async validate(request) {
    const node = nodeOf(request.user);
    if (node === undefined) return;
    const { group, plural } = request.kind;
    const judge = judges[group ? `${plural}.${group}` : plural];
    if (!judge) return;
    if (!node) {
      throw refuse(
        request,
        `could not determine node from user ${JSON.stringify(request.user.name)}`,
      );
    }
    await judge({ node, request, reader });
  },
});
