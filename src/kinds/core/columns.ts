// What `kubectl get` shows of the core group.
import { age, ago, count, labelText, name, none, orNone, text, wide } from "../column.ts";
import { containerColumns, since } from "../column.ts";
import type { Column } from "../kind.ts";
import type { KubeObject } from "../object.ts";
import { podColumns } from "./pod-columns.ts";

const size = (map: object | undefined) => Object.keys(map ?? {}).length;
const modes: Record<string, string> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};
const modesText = (list: string[] | undefined) => (list ?? []).map((m) => modes[m] ?? m).join(",");

function nodeStatus({ status, spec }: KubeObject): string {
  const ready = status?.conditions?.find((c: any) => c.type === "Ready");
  const state = !ready ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return spec?.unschedulable ? `${state},SchedulingDisabled` : state;
}

function nodeRoles({ metadata }: KubeObject): string {
  const prefix = "node-role.kubernetes.io/";
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) =>
    key.startsWith(prefix)
      ? [key.slice(prefix.length)]
      : key === "kubernetes.io/role"
        ? [value]
        : [],
  );
  return orNone(roles.sort().join(","));
}

const nodeAddress = (type: string) => (node: KubeObject) =>
  orNone(node.status?.addresses?.find((a: any) => a.type === type)?.address);
const nodeInfo = (field: string) => (node: KubeObject) =>
  String(node.status?.nodeInfo?.[field] ?? "<unknown>");

const nodes: Column[] = [
  name,
  text("Status", nodeStatus),
  text("Roles", nodeRoles),
  age,
  text("Version", (node) => node.status?.nodeInfo?.kubeletVersion ?? ""),
  wide(text("Internal-IP", nodeAddress("InternalIP"))),
  wide(text("External-IP", nodeAddress("ExternalIP"))),
  wide(text("OS-Image", nodeInfo("osImage"))),
  wide(text("Kernel-Version", nodeInfo("kernelVersion"))),
  wide(text("Container-Runtime", nodeInfo("containerRuntimeVersion"))),
];

function externalText({ spec, status }: KubeObject): string {
  if (spec.type === "ExternalName") return spec.externalName ?? "";
  const given = (status?.loadBalancer?.ingress ?? []).map((i: any) => i.ip ?? i.hostname);
  const addresses = [...given, ...(spec.externalIPs ?? [])];
  if (addresses.length > 0) return addresses.join(",");
  return spec.type === "LoadBalancer" ? "<pending>" : none;
}

const portText = ({ port, nodePort, protocol }: any) =>
  `${nodePort ? `${port}:${nodePort}` : port}/${protocol ?? "TCP"}`;

const services: Column[] = [
  name,
  text("Type", ({ spec }) => spec.type),
  text("Cluster-IP", ({ spec }) => orNone(spec.clusterIP)),
  text("External-IP", externalText),
  text("Port(s)", ({ spec }) => orNone((spec.ports ?? []).map(portText).join(","))),
  age,
  wide(text("Selector", ({ spec }) => labelText(spec.selector))),
];

function endpointsText(endpoints: KubeObject): string {
  const all = (endpoints["subsets"] ?? []).flatMap(({ addresses = [], ports = [] }: any) =>
    addresses.flatMap(({ ip }: any) =>
      ports.length > 0 ? ports.map((p: any) => `${ip}:${p.port}`) : [ip],
    ),
  );
  if (all.length === 0) return none;
  const more = all.length > 3 ? ` + ${all.length - 3} more...` : "";
  return all.slice(0, 3).join(",") + more;
}

const involved = ({ involvedObject }: any) =>
  `${String(involvedObject?.kind ?? "").toLowerCase()}/${involvedObject?.name ?? ""}`;
const lastSeen = (event: KubeObject, now: number) =>
  ago(
    event["series"]?.lastObservedTime ??
      event["lastTimestamp"] ??
      event["eventTime"] ??
      event.metadata.creationTimestamp,
    now,
  );

const events: Column[] = [
  text("Last Seen", lastSeen),
  text("Type", (event) => event["type"] ?? ""),
  text("Reason", (event) => event["reason"] ?? ""),
  text("Object", involved),
  wide(text("Subobject", (event) => event["involvedObject"]?.fieldPath ?? "")),
  wide(text("Source", (event) => event["source"]?.component ?? "")),
  text("Message", (event) => String(event["message"] ?? "").trim()),
  wide(text("First Seen", (event, now) => ago(event["firstTimestamp"], now))),
  wide(text("Count", (event) => String(event["count"] ?? 1))),
  wide(name),
];

const persistentVolumes: Column[] = [
  name,
  text("Capacity", ({ spec }) => spec.capacity?.storage ?? ""),
  text("Access Modes", ({ spec }) => modesText(spec.accessModes)),
  text("Reclaim Policy", ({ spec }) => spec.persistentVolumeReclaimPolicy ?? ""),
  text("Status", ({ status, metadata }) =>
    metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
  ),
  text("Claim", ({ spec }) =>
    spec.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : "",
  ),
  text("StorageClass", ({ spec }) => spec.storageClassName ?? ""),
  text("VolumeAttributesClass", ({ spec }) => spec.volumeAttributesClassName ?? "<unset>"),
  text("Reason", ({ status }) => status?.reason ?? ""),
  age,
  wide(text("VolumeMode", ({ spec }) => spec.volumeMode ?? "<unset>")),
];

const persistentVolumeClaims: Column[] = [
  name,
  text("Status", ({ status, metadata }) =>
    metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
  ),
  text("Volume", ({ spec }) => spec.volumeName ?? ""),
  text("Capacity", ({ status, spec }) =>
    spec.volumeName ? (status?.capacity?.storage ?? "") : "",
  ),
  text("Access Modes", ({ status, spec }) =>
    spec.volumeName ? modesText(status?.accessModes) : "",
  ),
  text("StorageClass", ({ spec }) => spec.storageClassName ?? ""),
  text("VolumeAttributesClass", ({ spec }) => spec.volumeAttributesClassName ?? "<unset>"),
  age,
  wide(text("VolumeMode", ({ spec }) => spec.volumeMode ?? "<unset>")),
];

export const coreColumns: Record<string, Column[]> = {
  configmaps: [name, count("Data", (c) => size(c.data) + size(c.binaryData)), age],
  endpoints: [name, text("Endpoints", endpointsText), age],
  events,
  limitranges: [name, since("Created At", ".metadata.creationTimestamp")],
  namespaces: [name, text("Status", ({ status }) => status?.phase ?? ""), age],
  nodes,
  persistentvolumeclaims: persistentVolumeClaims,
  persistentvolumes: persistentVolumes,
  pods: podColumns,
  podtemplates: [
    name,
    ...containerColumns((template) => template["template"]).map((c) => ({ ...c, priority: 0 })),
    text("Pod Labels", (template) => labelText(template["template"]?.metadata?.labels)),
  ],
  replicationcontrollers: [
    name,
    count("Desired", ({ spec }) => spec.replicas),
    count("Current", ({ status }) => status?.replicas),
    count("Ready", ({ status }) => status?.readyReplicas),
    age,
    ...containerColumns(({ spec }) => spec.template),
    wide(text("Selector", ({ spec }) => labelText(spec.selector))),
  ],
  resourcequotas: [name, age],
  secrets: [name, text("Type", (s) => s["type"] ?? ""), count("Data", (s) => size(s.data)), age],
  serviceaccounts: [name, count("Secrets", (s) => s.secrets?.length), age],
  services,
};
