import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "./kinds.ts";
import { assertTold } from "./test-objects.ts";

const kinds = builtinKinds();
const container = { name: "main", image: "x" };
const template = (spec: object = {}) => ({
  metadata: { labels: { app: "a" } },
  spec: { containers: [container], restartPolicy: "Always", ...spec },
});
const selector = { matchLabels: { app: "a" } };
const pod = (spec: object) => ({ spec: { containers: [container], ...spec } });
const workload = (spec: object) => ({
  kind: "Deployment",
  spec: { selector, template: template(), ...spec },
});
const exactly = { deviceClassName: "gpu", allocationMode: "ExactCount", count: 1 };
const claim = (requests: object[], more: object = {}) => ({
  spec: { devices: { requests, ...more } },
});
const port = { port: 80, protocol: "TCP" };

/** Resource, object, and the errors it gets as `field: message` beginnings. */
type Case = [group: string, version: string, plural: string, object: object, errors: string[]];

const cases: Case[] = [
  ["", "v1", "pods", pod({}), []],
  ["resource.k8s.io", "v1", "resourceclaims", claim([{ name: "r", exactly }]), []],
  [
    "resource.k8s.io",
    "v1",
    "resourceclaims",
    claim([
      { name: "r", exactly: { ...exactly, count: 0 } },
      { name: "r", exactly },
      { name: "x" },
    ]),
    [
      'spec.devices.requests[1]: Duplicate value: "r"',
      "spec.devices.requests[0].exactly.count: Invalid value: 0",
      "spec.devices.requests[2]: Required value",
    ],
  ],
  [
    "resource.k8s.io",
    "v1",
    "resourceclaims",
    claim([{ name: "r", exactly }], { constraints: [{ requests: ["z"] }] }),
    [
      'spec.devices.constraints[0].requests[0]: Invalid value: "z"',
      "spec.devices.constraints[0]: Required value",
    ],
  ],
  ["", "v1", "pods", { spec: {} }, ["spec.containers: Required value"]],
  [
    "",
    "v1",
    "pods",
    pod({ securityContext: { sysctls: ["kernel.shmmax", "foo-"].map((name) => ({ name })) } }),
    [
      'spec.securityContext.sysctls[1].name: Invalid value: "foo-": must have at most 253 ' +
        "characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
    ],
  ],
  [
    "",
    "v1",
    "pods",
    pod({ containers: [{ name: "UP", image: "x" }] }),
    ['spec.containers[0].name: Invalid value: "UP": a lowercase RFC 1123 label'],
  ],
  [
    "",
    "v1",
    "pods",
    pod({ containers: [container, container] }),
    ['spec.containers[1].name: Duplicate value: "main"'],
  ],
  [
    "",
    "v1",
    "pods",
    pod({ containers: [{ ...container, volumeMounts: [{ name: "v", mountPath: "/v" }] }] }),
    ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
  ],
  [
    "",
    "v1",
    "pods",
    pod({
      containers: [{ ...container, resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }],
    }),
    [
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
  ],
  [
    "",
    "v1",
    "pods",
    pod({ containers: [{ ...container, livenessProbe: {} }] }),
    ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
  ],
  [
    "",
    "v1",
    "pods",
    pod({ containers: [{ ...container, securityContext: { procMount: "Unmasked" } }] }),
    [
      'spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
    ],
  ],
  [
    "",
    "v1",
    "pods",
    pod({
      hostUsers: false,
      containers: [{ ...container, securityContext: { procMount: "Unmasked" } }],
    }),
    [],
  ],
  [
    "",
    "v1",
    "pods",
    pod({ hostnameOverride: "a.b", hostNetwork: true, setHostnameAsFQDN: true }),
    [
      "spec.hostnameOverride: Forbidden: may not be specified when hostNetwork is true",
      "spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true",
    ],
  ],
  [
    "",
    "v1",
    "pods",
    pod({
      volumes: [{ name: "v", emptyDir: {} }],
      containers: [
        {
          ...container,
          volumeMounts: [
            { name: "v", mountPath: "/a", recursiveReadOnly: "Enabled" },
            { name: "v", mountPath: "/b", recursiveReadOnly: "Always", readOnly: true },
            {
              ...{ name: "v", mountPath: "/c", readOnly: true, recursiveReadOnly: "IfPossible" },
              mountPropagation: "HostToContainer",
            },
          ],
        },
      ],
    }),
    [
      "spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
      'spec.containers[0].volumeMounts.recursiveReadOnly: Unsupported value: "Always": supported values: "Disabled", "Enabled", "IfPossible"',
      "spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified",
    ],
  ],
  [
    "",
    "v1",
    "pods",
    pod({ restartPolicy: "Sometimes" }),
    [
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
  ],
  ["", "v1", "services", { spec: { ports: [] } }, ["spec.ports: Required value"]],
  [
    "",
    "v1",
    "services",
    { spec: { ports: [port, { ...port, port: 81 }] } },
    ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
  ],
  [
    "",
    "v1",
    "configmaps",
    { data: { a: "é".repeat(600_000) } },
    ["[]: Too long: may not be more than 1048576 bytes"],
  ],
  [
    "",
    "v1",
    "secrets",
    { kind: "Secret", data: { a: Buffer.alloc(1_000_000).toString("base64") } },
    [],
  ],
  [
    "",
    "v1",
    "configmaps",
    { data: { "a b": "" } },
    ['data[a b]: Invalid value: "a b": a valid config key'],
  ],
  [
    "",
    "v1",
    "configmaps",
    { metadata: { name: "Up" } },
    ['metadata.name: Invalid value: "Up": a lowercase RFC 1123 subdomain'],
  ],
  [
    "",
    "v1",
    "configmaps",
    { metadata: { name: "a", labels: { "-a": "b" } } },
    ['metadata.labels: Invalid value: "-a": name part'],
  ],
  ["apps", "v1", "deployments", workload({}), []],
  ...["", "/hook", "hook"].map((path): (typeof cases)[number] => [
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    {
      webhooks: [
        {
          name: "a.example.com",
          clientConfig: { service: { name: "a", namespace: "b", path } },
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
        },
      ],
    },
    path === "hook"
      ? [`webhooks[0].clientConfig.service.path: Invalid value: "hook": must start with a '/'`]
      : [],
  ]),
  [
    "apps",
    "v1",
    "deployments",
    workload({ selector: undefined }),
    ["spec.selector: Required value"],
  ],
  [
    "apps",
    "v1",
    "deployments",
    workload({ selector: { matchLabels: { app: "b" } } }),
    [
      'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    ],
  ],
  [
    "apps",
    "v1",
    "deployments",
    workload({ template: template({ restartPolicy: "Never" }) }),
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  ],
  [
    "batch",
    "v1",
    "jobs",
    { spec: { template: template(), selector, manualSelector: true } },
    ["spec.template.spec.restartPolicy: Required value: valid values:"],
  ],
  [
    "batch",
    "v1",
    "cronjobs",
    {
      spec: {
        schedule: "x",
        jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } },
      },
    },
    ['spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]'],
  ],
  ...[
    ["Europe/Berlin"],
    ["Europe/Nowhere", "unknown time zone Europe/Nowhere"],
    ["+01:00", "unknown time zone +01:00"],
    ["Local", "timeZone must be an explicit time zone"],
    ["", "timeZone must be nil or non-empty string"],
  ].map(([timeZone, message]): Case => [
    "batch",
    "v1",
    "cronjobs",
    {
      spec: {
        schedule: "@every 90m",
        timeZone,
        jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } },
      },
    },
    message === undefined
      ? []
      : [`spec.timeZone: Invalid value: ${JSON.stringify(timeZone)}: ${message}`],
  ]),
  ["rbac.authorization.k8s.io", "v1", "clusterroles", { metadata: { name: "system:node" } }, []],
  [
    "rbac.authorization.k8s.io",
    "v1",
    "clusterroles",
    { metadata: { name: "a/b" } },
    ["metadata.name: Invalid value: \"a/b\": may not contain '/'"],
  ],
];

for (const [group, version, plural, object, expected] of cases) {
  test(`${plural}: ${expected[0] ?? "fine"}`, () => {
    const kind = kinds.get(group, version, plural)!;
    const whole = {
      apiVersion: version,
      kind: kind.kind,
      metadata: { name: "a" },
      ...object,
    } as any;
    const errors = kind.validate!({ object: whole, subresource: "" });
    const texts = errors.map(({ field, message }) => `${field}: ${message}`);
    assertTold(texts, expected);
  });
}

test("what may not change is refused on update", () => {
  const kind = kinds.get("apps", "v1", "deployments")!;
  const old = { metadata: { name: "a" }, ...workload({}) } as any;
  const object = structuredClone(old);
  object.spec.selector = { matchLabels: { app: "a", more: "b" } };
  object.spec.template.metadata.labels.more = "b";
  const [error] = kind.validate!({ object, old, subresource: "" });
  assert.match(error!.message, /field is immutable/);
});

test("every stable kind is served, and defaults are idempotent", () => {
  assert.ok(kinds.all().length >= 68);
  for (const kind of kinds.all()) {
    const once = { apiVersion: "v1", kind: kind.kind, metadata: { name: "a" }, spec: {} } as any;
    kind.defaults?.(once);
    const twice = structuredClone(once);
    kind.defaults?.(twice);
    assert.deepEqual(twice, once, kind.kind);
  }
});

test("pods of a StatefulSet mount the volumes of its claims, and no others", () => {
  const set = (mount: string): any => ({
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db" },
    spec: {
      selector: { matchLabels: { app: "db" } },
      volumeClaimTemplates: [
        {
          metadata: { name: "data" },
          spec: {
            accessModes: ["ReadWriteOnce"],
            resources: { requests: { storage: "1Gi" } },
          },
        },
      ],
      template: {
        metadata: { labels: { app: "db" } },
        spec: {
          containers: [
            { name: "main", image: "app", volumeMounts: [{ name: mount, mountPath: "/data" }] },
          ],
        },
      },
    },
  });
  const errors = (mount: string) =>
    kinds.get("apps", "v1", "statefulsets")!.validate!({ object: set(mount), subresource: "" });
  assert.deepEqual(errors("data"), []);
  assert.equal(errors("other")[0]?.field, "spec.template.spec.containers[0].volumeMounts[0].name");
});
