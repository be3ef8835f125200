import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "./config-error.ts";
import { environment } from "./environment.ts";
import { expand } from "./expand.ts";
import type { FileKeyRef } from "./file-variables.ts";
import type { Objects } from "../objects.ts";
import type { Pod } from "./pod.ts";

const object = (kind: string, name: string, rest: object): any => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace: "shop" },
  ...rest,
});

const objects: Objects = {
  configMap: (_namespace, name) =>
    name === "settings" ? object("ConfigMap", name, { data: { COLOR: "red" } }) : undefined,
  secret: (_namespace, name) =>
    name === "keys" ? object("Secret", name, { data: { token: "czNjcmV0" } }) : undefined,
  onChange: () => () => {},
  runtimeClass: () => undefined,
  follow: async () => {},
  forget: () => {},
  services: (namespace) =>
    namespace === "default"
      ? [
          object("Service", "kubernetes", {
            spec: { clusterIP: "10.0.0.1", ports: [{ port: 443, name: "https" }] },
          }),
        ]
      : [
          object("Service", "my-db", { spec: { clusterIP: "10.0.0.7", ports: [{ port: 5432 }] } }),
          object("Service", "headless", { spec: { clusterIP: "None", ports: [{ port: 1 }] } }),
        ],
};

const facts = {
  nodeName: "edge",
  hostIps: ["192.0.2.9"],
  allocatable: { cpu: "2", memory: "1Gi" },
};

function variables(container: object, spec: object = {}) {
  const made = { name: "c", image: "i", ...container };
  const pod = {
    ...object("Pod", "web", {
      spec: { containers: [made], serviceAccountName: "bob", ...spec },
    }),
    metadata: { name: "web", namespace: "shop", uid: "u1", labels: { app: "web", tier: 'a"b' } },
  } as Pod;
  const files = ({ key }: FileKeyRef) => (key === "gone" ? undefined : `${key} of a file`);
  const input = { pod, container: made, objects, facts, podIps: ["10.1.0.5"], files };
  return Object.fromEntries(environment(input));
}

test("variables quote those before them, and dollars escape", () => {
  const known = (name: string) => ({ A: "1" })[name];
  assert.equal(expand("$(A) $$(A) $(B) $A $", known), "1 $(A) $(B) $A $");
});

test("every source of a variable is understood", () => {
  const got = variables({
    envFrom: [{ prefix: "P_", configMapRef: { name: "settings" } }],
    env: [
      { name: "COPY", value: "is $(P_COLOR) at $(MY_DB_SERVICE_HOST)" },
      { name: "TOKEN", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } },
      { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "TIER", valueFrom: { fieldRef: { fieldPath: "metadata.labels['tier']" } } },
      {
        name: "MIB",
        valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } },
      },
      { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
      { name: "GONE", valueFrom: { configMapKeyRef: { name: "x", key: "y", optional: true } } },
    ],
    resources: { limits: { cpu: "1500m" } },
  });
  assert.deepEqual(
    { ...got },
    {
      ...Object.fromEntries(
        Object.entries(got).filter(([name]) => /^(KUBERNETES|MY_DB)_/.test(name)),
      ),
      P_COLOR: "red",
      COPY: "is red at 10.0.0.7",
      TOKEN: "s3cret",
      IP: "10.1.0.5",
      TIER: 'a"b',
      MIB: "1024",
      CPUS: "2",
    },
  );
  assert.equal(got["MY_DB_PORT_5432_TCP"], "tcp://10.0.0.7:5432");
  assert.equal(got["KUBERNETES_SERVICE_PORT_HTTPS"], "443");
});

test("a pod without service links still finds the API", () => {
  const got = variables({}, { enableServiceLinks: false });
  assert.equal(got["MY_DB_SERVICE_HOST"], undefined);
  assert.equal(got["KUBERNETES_SERVICE_HOST"], "10.0.0.1");
});

test("what is missing is named as kubelet names it", () => {
  const ref = (kind: string, name: string, key: string) =>
    variables({ env: [{ name: "X", valueFrom: { [kind]: { name, key } } }] });
  const says = (message: string) => (error: unknown) =>
    error instanceof ConfigError && error.message === message;
  assert.throws(() => ref("configMapKeyRef", "none", "k"), says('configmap "none" not found'));
  assert.throws(
    () => ref("secretKeyRef", "keys", "k"),
    says("couldn't find key k in Secret shop/keys"),
  );
});

test("a variable from a file is one like others, and is not there when it is not in the file", () => {
  const from = (key: string) => ({ fileKeyRef: { volumeName: "config", path: "env", key } });
  const env = [
    { name: "A", valueFrom: from("a") },
    { name: "B", value: "from $(A)" },
    { name: "C", valueFrom: from("gone") },
  ];
  const { A, B, C } = variables({ env });
  assert.deepEqual([A, B, C], ["a of a file", "from a of a file", undefined]);
});
