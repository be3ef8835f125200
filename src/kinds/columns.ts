// What `kubectl get` shows, by resource name. Kinds that are not here show Name and Age.
import { autoscalingTargets } from "./autoscaling-targets.ts";
import { appsColumns } from "./apps/columns.ts";
import { age, count, name, none, orNone, selectorText, since, text, wide } from "./column.ts";
import { coreColumns } from "./core/columns.ts";
import type { Column } from "./kind.ts";
import type { KubeObject } from "./object.ts";

const created = since("Created At", ".metadata.creationTimestamp");
const roleText = ({ roleRef }: any) => `${roleRef?.kind}/${roleRef?.name}`;
const subjects = (kind: string) => (object: KubeObject) =>
  (object["subjects"] ?? [])
    .filter((s: any) => s.kind === kind)
    .map((s: any) => (s.namespace ? `${s.namespace}/${s.name}` : s.name))
    .join(", ");
const bindings: Column[] = [
  name,
  text("Role", roleText),
  age,
  wide(text("Users", subjects("User"))),
  wide(text("Groups", subjects("Group"))),
  wide(text("ServiceAccounts", subjects("ServiceAccount"))),
];
const webhooks: Column[] = [name, count("Webhooks", (c) => c.webhooks?.length), age];

function portsText(slice: KubeObject): string {
  const ports = (slice["ports"] ?? []).map((p: any) => p.port);
  return ports.length > 0 ? ports.join(",") : "<unset>";
}

function addressesText(slice: KubeObject): string {
  const all = (slice["endpoints"] ?? []).flatMap((e: any) => e.addresses ?? []);
  if (all.length === 0) return "<unset>";
  const more = all.length > 3 ? ` + ${all.length - 3} more...` : "";
  return all.slice(0, 3).join(",") + more;
}

const ingressHosts = ({ spec }: KubeObject) => {
  const hosts = (spec.rules ?? []).map((rule: any) => rule.host).filter(Boolean);
  return hosts.length > 0 ? hosts.join(",") : "*";
};

function requestState({ status }: KubeObject): string {
  const has = (type: string) => status?.conditions?.some((c: any) => c.type === type);
  const states = [
    has("Approved") ? "Approved" : has("Denied") ? "Denied" : "Pending",
    ...(has("Failed") ? ["Failed"] : []),
    ...(status?.certificate ? ["Issued"] : []),
  ];
  return states.join(",");
}

const conditionText = ({ status }: KubeObject, type: string): string =>
  status?.conditions?.find((one: any) => one.type === type)?.status ?? "?";

function claimState({ metadata, status }: KubeObject): string {
  const states = [
    ...(metadata.deletionTimestamp ? ["deleted"] : []),
    ...(status?.allocation ? ["allocated"] : []),
    ...(status?.reservedFor?.length > 0 ? ["reserved"] : []),
  ];
  if (!status?.allocation && states.length === 0) return "pending";
  return states.join(",");
}

const sliceNodes = (spec: any): string =>
  spec.nodeName ?? (spec.allNodes ? "<all>" : spec.nodeSelector ? "<some>" : none);

const queuingOf = (spec: any) => spec.limited?.limitResponse?.queuing ?? {};

const hpaTarget = ({ spec }: KubeObject) =>
  `${spec.scaleTargetRef?.kind}/${spec.scaleTargetRef?.name}`;

/** `services/default/web`. */
function parentText({ spec }: KubeObject): string {
  const { group, resource, namespace, name: of } = spec?.parentRef ?? {};
  if (!of) return none;
  return [group ? `${resource}.${group}` : resource, namespace, of].filter(Boolean).join("/");
}

const others: Record<string, Column[]> = {
  "apiservices.apiregistration.k8s.io": [
    name,
    text("Service", ({ spec }) =>
      spec.service ? `${spec.service.namespace}/${spec.service.name}` : "Local",
    ),
    text("Available", ({ status }) => {
      const found = status?.conditions?.find((c: any) => c.type === "Available");
      if (!found) return "Unknown";
      return found.status === "True" ? "True" : `${found.status} (${found.reason})`;
    }),
    age,
  ],
  "certificatesigningrequests.certificates.k8s.io": [
    name,
    age,
    text("SignerName", ({ spec }) => spec.signerName ?? ""),
    text("Requestor", ({ spec }) => spec.username ?? ""),
    text("RequestedDuration", ({ spec }) =>
      orNone(spec.expirationSeconds && `${spec.expirationSeconds}s`),
    ),
    text("Condition", requestState),
  ],
  "clusterrolebindings.rbac.authorization.k8s.io": bindings,
  "clusterroles.rbac.authorization.k8s.io": [name, created],
  "customresourcedefinitions.apiextensions.k8s.io": [name, created],
  "endpointslices.discovery.k8s.io": [
    name,
    text("AddressType", (slice) => slice["addressType"] ?? ""),
    text("Ports", portsText),
    text("Endpoints", addressesText),
    age,
  ],
  "horizontalpodautoscalers.autoscaling": [
    name,
    text("Reference", hpaTarget),
    text("Targets", autoscalingTargets),
    text("MinPods", ({ spec }) => String(spec.minReplicas ?? "<unset>")),
    count("MaxPods", ({ spec }) => spec.maxReplicas),
    count("Replicas", ({ status }) => status?.currentReplicas),
    age,
  ],
  "ingressclasses.networking.k8s.io": [
    name,
    text("Controller", ({ spec }) => spec?.controller ?? ""),
    text("Parameters", ({ spec }) =>
      orNone(spec?.parameters && `${spec.parameters.kind}/${spec.parameters.name}`),
    ),
    age,
  ],
  "ingresses.networking.k8s.io": [
    name,
    text("Class", ({ spec }) => orNone(spec.ingressClassName)),
    text("Hosts", ingressHosts),
    text("Address", ({ status }) =>
      (status?.loadBalancer?.ingress ?? []).map((i: any) => i.ip ?? i.hostname).join(","),
    ),
    text("Ports", ({ spec }) => (spec.tls?.length ? "80, 443" : "80")),
    age,
  ],
  "ipaddresses.networking.k8s.io": [name, text("ParentRef", parentText), age],
  "servicecidrs.networking.k8s.io": [
    name,
    text("CIDRs", ({ spec }) => (spec?.cidrs ?? []).join(",")),
    age,
  ],
  "leases.coordination.k8s.io": [
    name,
    text("Holder", ({ spec }) => spec?.holderIdentity ?? ""),
    age,
  ],
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
  "flowschemas.flowcontrol.apiserver.k8s.io": [
    name,
    text("PriorityLevel", ({ spec }) => spec.priorityLevelConfiguration.name),
    count("MatchingPrecedence", ({ spec }) => spec.matchingPrecedence),
    text("DistinguisherMethod", ({ spec }) => orNone(spec.distinguisherMethod?.type)),
    age,
    text("MissingPL", (object) => conditionText(object, "Dangling")),
  ],
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": [
    name,
    text("Type", ({ spec }) => spec.type),
    text("NominalConcurrencyShares", ({ spec: { limited, exempt } }) =>
      orNone((limited ?? exempt)?.nominalConcurrencyShares),
    ),
    text("Queues", ({ spec }) => orNone(queuingOf(spec).queues)),
    text("HandSize", ({ spec }) => orNone(queuingOf(spec).handSize)),
    text("QueueLengthLimit", ({ spec }) => orNone(queuingOf(spec).queueLengthLimit)),
    age,
  ],
  "resourceclaims.resource.k8s.io": [name, text("State", claimState), age],
  "resourceslices.resource.k8s.io": [
    name,
    text("Node", ({ spec }) => sliceNodes(spec)),
    text("Driver", ({ spec }) => spec.driver),
    text("Pool", ({ spec }) => spec.pool.name),
    age,
  ],
  "networkpolicies.networking.k8s.io": [
    name,
    text("Pod-Selector", ({ spec }) => selectorText(spec?.podSelector)),
    age,
  ],
  "poddisruptionbudgets.policy": [
    name,
    text("Min Available", ({ spec }) => String(spec.minAvailable ?? "N/A")),
    text("Max Unavailable", ({ spec }) => String(spec.maxUnavailable ?? "N/A")),
    count("Allowed Disruptions", ({ status }) => status?.disruptionsAllowed),
    age,
  ],
  "priorityclasses.scheduling.k8s.io": [
    name,
    count("Value", (c) => c.value),
    text("Global-Default", (c) => String(c["globalDefault"] ?? false)),
    age,
    text("PreemptionPolicy", (c) => c["preemptionPolicy"] ?? ""),
  ],
  "rolebindings.rbac.authorization.k8s.io": bindings,
  "roles.rbac.authorization.k8s.io": [name, created],
  "runtimeclasses.node.k8s.io": [name, text("Handler", (c) => c["handler"] ?? ""), age],
  "storageclasses.storage.k8s.io": [
    name,
    text("Provisioner", (c) => c["provisioner"] ?? ""),
    text("ReclaimPolicy", (c) => c["reclaimPolicy"] ?? "Delete"),
    text("VolumeBindingMode", (c) => c["volumeBindingMode"] ?? "Immediate"),
    text("AllowVolumeExpansion", (c) => String(c["allowVolumeExpansion"] ?? false)),
    age,
  ],
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
};

export const columns: Record<string, Column[]> = { ...coreColumns, ...appsColumns, ...others };
