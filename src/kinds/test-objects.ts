// Objects of the kinds that people write most, to be judged as a real API server would judge them.
import assert from "node:assert/strict";
import { builtinKinds } from "./kinds.ts";

const kinds = builtinKinds();
const groups: Record<string, string> = {
  Pod: "",
  CronJob: "batch",
  DaemonSet: "apps",
  Secret: "",
  Service: "",
  PersistentVolumeClaim: "",
  ReplicationController: "",
  ResourceQuota: "",
  LimitRange: "",
  PersistentVolume: "",
  PriorityClass: "scheduling.k8s.io",
  StorageClass: "storage.k8s.io",
  StatefulSet: "apps",
  Deployment: "apps",
  Job: "batch",
  HorizontalPodAutoscaler: "autoscaling",
  PodDisruptionBudget: "policy",
  NetworkPolicy: "networking.k8s.io",
  Ingress: "networking.k8s.io",
  Role: "rbac.authorization.k8s.io",
  ClusterRole: "rbac.authorization.k8s.io",
  RoleBinding: "rbac.authorization.k8s.io",
  ClusterRoleBinding: "rbac.authorization.k8s.io",
};

export const kindOf = (kind: string) =>
  kinds.all().find((one) => one.kind === kind && one.group === groups[kind])!;

export function refusals(kind: string, object: object): string[] {
  const found = kindOf(kind);
  const metadata = { name: "a", uid: "1" };
  const whole = structuredClone({ kind, metadata, ...object }) as any;
  found.defaults?.(whole);
  found.prepareForCreate?.(whole);
  return found.validate!({ object: whole, subresource: "" }).map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

/** Every error begins as one of `expected` does, and each of those is told. */
export function assertTold(found: string[], expected: string[]) {
  const rest = [...found];
  const untold = expected.filter((text) => {
    const i = rest.findIndex((one) => one.startsWith(text));
    if (i >= 0) rest.splice(i, 1);
    return i < 0;
  });
  assert.deepEqual({ untold, unexpected: rest }, { untold: [], unexpected: [] });
}

export const base64 = (text: string) => Buffer.from(text).toString("base64");
export const template = {
  metadata: { labels: { a: "b" } },
  spec: { containers: [{ name: "c", image: "x" }], restartPolicy: "Never" },
};
export const pod = (spec: object) => ({
  spec: { volumes: [{ name: "v" }], containers: [{ name: "c", image: "x" }], ...spec },
});
export const container = (more: object) =>
  pod({ containers: [{ name: "c", image: "x", ...more }] });
export const deployment = (spec: object) => ({
  spec: {
    selector: { matchLabels: { a: "b" } },
    template: { ...template, spec: { ...template.spec, restartPolicy: "Always" } },
    ...spec,
  },
});
export const service = (...ports: object[]) => ({ spec: { ports } });
export const claim = (storage: string, ...accessModes: string[]) => ({
  spec: { accessModes, resources: { requests: { storage } } },
});
export const scaleTargetRef = { kind: "Deployment", name: "web", apiVersion: "apps/v1" };
export const path = (more: object) => ({
  path: "/",
  pathType: "Prefix",
  backend: { service: { name: "web", port: { number: 80 } } },
  ...more,
});
export const ingress = (host: string, more: object) => ({
  spec: { rules: [{ host, http: { paths: [path(more)] } }] },
});
export const policy = (from: object, port: object = { port: 80 }) => ({
  spec: { podSelector: {}, policyTypes: ["Ingress"], ingress: [{ from: [from], ports: [port] }] },
});
export const group = "rbac.authorization.k8s.io";
export const binding = (roleRef: object, ...subjects: object[]) => ({
  roleRef: { apiGroup: group, kind: "ClusterRole", name: "view", ...roleRef },
  subjects,
});
