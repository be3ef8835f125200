// What upstream fills into a pod template that leaves things out (pkg/apis/core/v1/defaults.go). Called for
// pods and for every template of one; idempotent.
import { isImageName } from "../../lib/image-name.ts";

type Any = Record<string, any>;

/** `target[name] ??= value` for several. */
export function fill(target: Any, defaults: Any) {
  for (const [name, value] of Object.entries(defaults))
    if (target[name] === undefined) target[name] = value;
}

/** The same for what upstream takes for absent when it is empty: texts and numbers that are no pointers. */
export function fillEmpty(target: Any, defaults: Record<string, string | number>) {
  for (const [name, value] of Object.entries(defaults)) target[name] ||= value;
}

/** IfNotPresent, unless the tag is latest or missing. */
function pullPolicy(image: string): string {
  if (!isImageName(image)) return "IfNotPresent";
  const name = image.slice(image.lastIndexOf("/") + 1);
  if (name.includes("@")) return "IfNotPresent";
  const colon = name.indexOf(":");
  return colon < 0 || name.slice(colon + 1) === "latest" ? "Always" : "IfNotPresent";
}

const httpDefaults = (get: Any | undefined) => {
  if (get) fillEmpty(get, { path: "/", scheme: "HTTP" });
};

function probeDefaults(probe: Any | undefined) {
  if (!probe) return;
  fillEmpty(probe, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  httpDefaults(probe["httpGet"]);
  if (probe["grpc"]) fill(probe["grpc"], { service: "" });
}

function containerDefaults(container: Any, hostNetwork: boolean) {
  fill(container, { resources: {} });
  fillEmpty(container, {
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    ...(typeof container["image"] === "string" &&
      !container["imagePullPolicy"] && {
        imagePullPolicy: pullPolicy(container["image"]),
      }),
  });
  for (const port of container["ports"] ?? []) {
    fillEmpty(port, { protocol: "TCP" });
    if (hostNetwork) fill(port, { hostPort: port.containerPort });
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"])
    probeDefaults(container[name]);
  httpDefaults(container["lifecycle"]?.postStart?.httpGet);
  httpDefaults(container["lifecycle"]?.preStop?.httpGet);
  for (const entry of container["env"] ?? []) {
    if (entry.valueFrom?.fieldRef) fillEmpty(entry.valueFrom.fieldRef, { apiVersion: "v1" });
  }
  const { requests, limits } = container["resources"];
  // A limit without a request asks for as much as it may have.
  if (limits) container["resources"].requests = { ...limits, ...requests };
}

const filesMode = 0o644;

function downwardItems(items: Any[] | undefined) {
  for (const item of items ?? [])
    if (item["fieldRef"]) fillEmpty(item["fieldRef"], { apiVersion: "v1" });
}

function volumeDefaults(volume: Any) {
  const sources = Object.keys(volume).filter((name) => name !== "name");
  if (sources.length === 0) volume["emptyDir"] = {};
  for (const name of ["configMap", "secret", "downwardAPI", "projected"]) {
    if (volume[name]) fill(volume[name], { defaultMode: filesMode });
  }
  if (volume["hostPath"]) fill(volume["hostPath"], { type: "" });
  downwardItems(volume["downwardAPI"]?.items);
  for (const source of volume["projected"]?.sources ?? []) {
    downwardItems(source.downwardAPI?.items);
    if (source.serviceAccountToken) fill(source.serviceAccountToken, { expirationSeconds: 3600 });
  }
  const claim = volume["ephemeral"]?.volumeClaimTemplate?.spec;
  if (claim) fill(claim, { volumeMode: "Filesystem" });
}

/** Fills a PodSpec in place. */
export function podSpecDefaults(spec: Any | undefined) {
  if (!spec) return;
  fill(spec, { terminationGracePeriodSeconds: 30, securityContext: {} });
  fillEmpty(spec, {
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
  });
  const { serviceAccountName, serviceAccount } = spec;
  if (serviceAccountName || serviceAccount) {
    spec["serviceAccountName"] ??= serviceAccount;
    spec["serviceAccount"] ??= serviceAccountName;
  }
  const hostNetwork = spec["hostNetwork"] === true;
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    if (!Array.isArray(spec[list])) continue;
    for (const container of spec[list]) containerDefaults(container, hostNetwork);
  }
  for (const volume of spec["volumes"] ?? []) volumeDefaults(volume);
  for (const spread of spec["topologySpreadConstraints"] ?? []) {
    fill(spread, { nodeAffinityPolicy: "Honor", nodeTaintsPolicy: "Ignore" });
  }
}

/** Pods themselves get a little more than templates do. */
export function podDefaults(pod: Any) {
  podSpecDefaults(pod["spec"]);
  if (!pod["spec"]) return;
  fill(pod["spec"], { enableServiceLinks: true });
  if (pod["spec"].terminationGracePeriodSeconds < 0) pod["spec"].terminationGracePeriodSeconds = 1;
}
