// NodeRestriction: a node's agent writes its own Node and the pods bound to it, and nothing that would bring
// other pods, or other nodes' pods, to it.
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { nodeOfUser } from "../auth/node/node-authorizer.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { refuse } from "./refuse.ts";

const mirror = "kubernetes.io/config.mirror";
/** Labels under Kubernetes' own prefixes that a node may give itself. */
const ownLabels = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.kubernetes.io/region",
  "failure-domain.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);
const ownPrefixes = ["kubelet.kubernetes.io", "node.kubernetes.io"];

function isForbiddenLabel(label: string): boolean {
  const slash = label.indexOf("/");
  if (slash < 0 || ownLabels.has(label)) return false;
  const domain = label.slice(0, slash);
  const under = (of: string) => domain === of || domain.endsWith(`.${of}`);
  if (under("node-restriction.kubernetes.io")) return true;
  return (under("kubernetes.io") || under("k8s.io")) && !ownPrefixes.some(under);
}

const labelsOf = (object: KubeObject | undefined): Record<string, string> =>
  object?.metadata.labels ?? {};

/** Labels that differ and are not the node's to give. */
function forbiddenLabels(old: KubeObject | undefined, object: KubeObject): string[] {
  const [before, after] = [labelsOf(old), labelsOf(object)];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((label) => before[label] !== after[label] && isForbiddenLabel(label))
    .sort();
}

function judgeNode(node: string, request: AdmissionRequest) {
  const { operation, object, old, name } = request;
  const own = operation === "CREATE" ? object!.metadata.name : name;
  if (own !== node) throw refuse(request, `node "${node}" is not allowed to modify node "${own}"`);
  if (!object) return;
  const labels = forbiddenLabels(old, object);
  if (labels.length > 0) {
    throw refuse(request, `is not allowed to modify labels: ${labels.join(", ")}`);
  }
  if (old && !jsonEqual(old.spec?.taints ?? [], object.spec?.taints ?? [])) {
    throw refuse(request, `node "${node}" is not allowed to modify taints`);
  }
  if (object.metadata.ownerReferences?.length && operation === "CREATE") {
    throw refuse(request, `node "${node}" is not allowed to set ownerReferences`);
  }
}

function judgeMirror(node: string, request: AdmissionRequest) {
  const { spec, metadata } = request.object!;
  if (metadata.annotations?.[mirror] === undefined) {
    throw refuse(
      request,
      `pod does not have "${mirror}" annotation, node "${node}" can only create mirror pods`,
    );
  }
  if (spec.nodeName !== node) {
    throw refuse(request, `node "${node}" can only create pods with spec.nodeName set to itself`);
  }
  const reaches =
    spec.serviceAccountName ||
    (spec.volumes ?? []).some(
      (volume: any) => volume.secret || volume.configMap || volume.persistentVolumeClaim,
    );
  if (reaches) {
    throw refuse(
      request,
      "a mirror pod may not reference service accounts, secrets, configmaps or claims",
    );
  }
}

function judgePod(node: string, request: AdmissionRequest, pod: KubeObject | undefined) {
  const { operation, subresource, object, old } = request;
  if (operation === "CREATE" && subresource === "") return judgeMirror(node, request);
  const known = old ?? pod;
  if (known && known.spec.nodeName !== node) {
    const what =
      operation === "DELETE" ? "delete" : subresource === "eviction" ? "evict" : "update";
    throw refuse(request, `node "${node}" can only ${what} pods with spec.nodeName set to itself`);
  }
  if (operation !== "UPDATE" || !object || !old) return;
  if (subresource !== "status") {
    throw refuse(
      request,
      `unexpected operation, node "${node}" can only update the status of pods`,
    );
  }
  if (!jsonEqual(labelsOf(old), labelsOf(object))) {
    throw refuse(request, `node "${node}" cannot update labels through pod status`);
  }
}

export const nodeRestriction = (reader: ObjectReader): Admission => ({
  name: "NodeRestriction",
  async validate(request) {
    const node = nodeOfUser(request.user);
    if (node === undefined || request.operation === "CONNECT") return;
    const { kind, namespace, name, object } = request;
    switch (kind.group ? `${kind.plural}.${kind.group}` : kind.plural) {
      case "nodes":
        return judgeNode(node, request);
      case "pods":
        return judgePod(node, request, await reader.get(`pods/${namespace}/${name}`));
      case "leases.coordination.k8s.io":
      case "csinodes.storage.k8s.io": {
        const own = name || object?.metadata.name;
        if (own !== node)
          throw refuse(request, `node "${node}" can only write its own ${kind.kind}`);
        return;
      }
      case "resourceslices.resource.k8s.io": {
        const of = (object ?? request.old)?.spec?.nodeName;
        if (of !== node)
          throw refuse(request, `node "${node}" can only write its own ResourceSlices`);
        return;
      }
      default:
    }
  },
});
