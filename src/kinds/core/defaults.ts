// Defaults of the core group that no schema expresses.
import type { Draft, KubeObject } from "../object.ts";
import { fill, fillEmpty } from "./pod-defaults.ts";

export function serviceDefaults({ spec }: Draft) {
  if (!spec) return;
  fillEmpty(spec, { type: "ClusterIP", sessionAffinity: "None" });
  if (spec.sessionAffinity === "ClientIP") {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    fill(spec.sessionAffinityConfig.clientIP, { timeoutSeconds: 10_800 });
  }
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  for (const port of spec.ports ?? []) {
    fillEmpty(port, { protocol: "TCP" });
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") {
      port.targetPort = port.port;
    }
  }
  if (spec.type !== "ExternalName") fill(spec, { internalTrafficPolicy: "Cluster" });
  if (spec.type === "NodePort" || spec.type === "LoadBalancer") {
    fillEmpty(spec, { externalTrafficPolicy: "Cluster" });
  }
  if (spec.type === "LoadBalancer") fill(spec, { allocateLoadBalancerNodePorts: true });
}

/** `stringData` is write-only: it goes into `data` and is not kept. */
export function secretDefaults(secret: Draft) {
  secret["type"] ||= "Opaque";
  const plain: Record<string, string> | undefined = secret["stringData"];
  if (!plain) return;
  secret["data"] = { ...secret["data"] };
  for (const [name, text] of Object.entries(plain)) {
    secret["data"][name] = Buffer.from(text).toString("base64");
  }
  delete secret["stringData"];
}

export function namespaceDefaults(namespace: Draft) {
  const metadata = (namespace.metadata ??= {});
  if (metadata.name) {
    metadata.labels = { "kubernetes.io/metadata.name": metadata.name, ...metadata.labels };
  }
  namespace["spec"] ??= {};
  namespace["status"] ??= {};
  fill(namespace["status"], { phase: "Active" });
}

export function persistentVolumeDefaults(volume: Draft) {
  fill((volume["status"] ??= {}), { phase: "Pending" });
  if (volume["spec"]) {
    fillEmpty(volume["spec"], { persistentVolumeReclaimPolicy: "Retain" });
    fill(volume["spec"], { volumeMode: "Filesystem" });
    if (volume["spec"].hostPath) fill(volume["spec"].hostPath, { type: "" });
  }
}

export function persistentVolumeClaimDefaults(claim: Draft) {
  if (claim["spec"]) fill(claim["spec"], { volumeMode: "Filesystem" });
  fill((claim["status"] ??= {}), { phase: "Pending" });
}

export function limitRangeDefaults(range: Draft) {
  for (const item of range["spec"]?.limits ?? []) {
    if (item.type !== "Container") continue;
    item.default = { ...item.max, ...item.default };
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  }
}

export function endpointsDefaults(endpoints: Draft) {
  for (const subset of endpoints["subsets"] ?? []) {
    for (const port of subset.ports ?? []) fillEmpty(port, { protocol: "TCP" });
  }
}

/** A namespace stays until the namespace controller has emptied it. */
export function namespaceFinalizer(namespace: KubeObject) {
  const finalizers: string[] = namespace.spec?.finalizers ?? [];
  if (!finalizers.includes("kubernetes")) finalizers.push("kubernetes");
  namespace.spec = { ...namespace.spec, finalizers };
  namespace.status = { phase: "Active" };
}
