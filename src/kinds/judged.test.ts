// What a real API server of version 1.36 takes, seen by asking one; and what it refuses besides, in its words.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertTold,
  base64,
  binding,
  container,
  deployment,
  pod,
  refusals,
  template,
} from "./test-objects.ts";

const limits = (...list: object[]) => ({ spec: { limits: list } });
const schedule = (text: string) => ({
  spec: { schedule: text, jobTemplate: { spec: { template } } },
});

/** What a real API server takes, however odd: empty texts mean the default, as where they are left out. */
const taken: [kind: string, object: object][] = [
  ["Secret", { type: "", data: { a: "YW\nE=\n" } }],
  ["Pod", pod({ restartPolicy: "", dnsPolicy: "", terminationGracePeriodSeconds: -5 })],
  ["Pod", pod({ tolerations: [{ key: "a", operator: "" }, { operator: "Exists" }] })],
  ["Pod", container({ imagePullPolicy: "", terminationMessagePolicy: "" })],
  ["Pod", container({ ports: [{ containerPort: 80, protocol: "" }] })],
  [
    "Pod",
    container({
      resources: { limits: { "example.com/foo": "1", "hugepages-2Mi": "2Mi", cpu: "1" } },
    }),
  ],
  [
    "Service",
    { metadata: { name: "1a" }, spec: { type: "", ports: [{ port: 80, protocol: "" }] } },
  ],
  ["Service", { spec: { sessionAffinity: "", ports: [{ port: 80 }] } }],
  [
    "Service",
    { spec: { sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } }, ports: [{ port: 80 }] } },
  ],
  [
    "PersistentVolume",
    {
      spec: {
        accessModes: ["ReadWriteOnce"],
        capacity: { storage: "1Gi" },
        hostPath: { path: "/a" },
        persistentVolumeReclaimPolicy: "",
      },
    },
  ],
  ["StorageClass", { provisioner: "a", reclaimPolicy: "" }],
  ["LimitRange", limits({ type: "example.com/x", min: { storage: "1Gi" } })],
  ["RoleBinding", binding({ apiGroup: "" }, { kind: "User", name: "x", apiGroup: "" })],
  ["Deployment", deployment({ strategy: { type: "" } })],
  [
    "StatefulSet",
    deployment({ podManagementPolicy: "", updateStrategy: { type: "" }, revisionHistoryLimit: -1 }),
  ],
  ["CronJob", schedule("@every -1h")],
  ["CronJob", schedule("@every 1µs")],
  ["CronJob", schedule("+1 * * * *")],
];

const refused: [kind: string, object: object, found: string[]][] = [
  [
    "LimitRange",
    limits({ type: "Image" }, { type: "Pod", default: { cpu: "1" } }),
    [
      'spec.limits[0].type: Invalid value: "Image": must be a standard limit type or fully qualified',
      "spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'",
    ],
  ],
  [
    "LimitRange",
    limits({ type: "PersistentVolumeClaim", default: { foo: "1" } }),
    [
      'spec.limits[0].default[foo]: Invalid value: "foo": must be a standard resource type or fully',
      "spec.limits[0].limits: Required value: either minimum or maximum storage value",
    ],
  ],
  [
    "LimitRange",
    limits({ type: "Container", defaultRequest: { cpu: "2" }, default: { cpu: "1" } }),
    ['spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater'],
  ],
  [
    "LimitRange",
    limits({
      type: "Pod",
      min: { cpu: "1" },
      max: { cpu: "2" },
      maxLimitRequestRatio: { cpu: "3" },
    }),
    [
      'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min',
    ],
  ],
];

const variable = (valueFrom: object, name = "A") => container({ env: [{ name, valueFrom }] });
const at = "spec.containers[0].env[0].valueFrom";
const selector = (one: object) => ({ matchExpressions: [{ key: "a", ...one }] });

taken.push(
  [
    "Pod",
    container({
      env: [{ name: "1 a-b.c!" }],
      envFrom: [{ prefix: "-", secretRef: { name: "a" } }],
    }),
  ],
  ["Pod", variable({ fieldRef: { fieldPath: "metadata.annotations['A/b']" } })],
  ["Pod", variable({ resourceFieldRef: { resource: "limits.hugepages-2Mi" } })],
  [
    "Pod",
    container({ ports: [{ containerPort: 80, name: "a".repeat(15) }, { containerPort: 80 }] }),
  ],
  ["Secret", { type: "kubernetes.io/dockercfg", data: { ".dockercfg": base64("null") } }],
  [
    "PodDisruptionBudget",
    { spec: { minAvailable: 1, selector: selector({ operator: "Exists" }) } },
  ],
  ["Deployment", deployment({ strategy: { rollingUpdate: { maxSurge: "150%" } } })],
);

refused.push(
  [
    "Pod",
    variable({ fieldRef: { fieldPath: "metadata.labels" } }, "a=b"),
    [
      'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name',
      `${at}.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name"`,
    ],
  ],
  [
    "Pod",
    variable({ fieldRef: { fieldPath: "spec.foo" } }),
    [
      `${at}.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label`,
    ],
  ],
  [
    "Pod",
    variable({ resourceFieldRef: { resource: "limits.foo" } }),
    [`${at}.resourceFieldRef.resource: Unsupported value: "limits.foo"`],
  ],
  [
    "Pod",
    variable({ secretKeyRef: { key: "a/b" } }),
    [
      `${at}.secretKeyRef.name: Invalid value: "": a lowercase RFC 1123 subdomain`,
      `${at}.secretKeyRef.key: Invalid value: "a/b": a valid config key`,
    ],
  ],
  [
    "Pod",
    container({ envFrom: [{ prefix: "=", configMapRef: {} }] }),
    [
      'spec.containers[0].envFrom[0].prefix: Invalid value: "="',
      "spec.containers[0].envFrom[0].configMapRef.name: Required value",
    ],
  ],
  [
    "Pod",
    container({
      ports: [
        { containerPort: 80, name: "a" },
        { containerPort: 81, name: "a" },
        { containerPort: 82, name: "80" },
      ],
      livenessProbe: { httpGet: { port: 80, scheme: "https" } },
    }),
    [
      'spec.containers[0].ports[1].name: Duplicate value: "a"',
      'spec.containers[0].ports[2].name: Invalid value: "80": must contain at least one letter',
      'spec.containers[0].livenessProbe.httpGet.scheme: Unsupported value: "https"',
    ],
  ],
  [
    "Secret",
    { type: "kubernetes.io/ssh-auth", data: { "ssh-privatekey": "", "..a": "" } },
    [
      'data[..a]: Invalid value: "..a": must not start with',
      "data[ssh-privatekey]: Required value",
    ],
  ],
  [
    "Secret",
    { type: "kubernetes.io/dockercfg", data: { ".dockercfg": base64("[1]") } },
    ['data[.dockercfg]: Invalid value: "<secret contents redacted>"'],
  ],
  [
    "PodDisruptionBudget",
    { spec: { selector: selector({ operator: "Gt", values: ["b c"] }) } },
    [
      'spec.selector.matchExpressions[0].operator: Invalid value: "Gt": not a valid selector operator',
      'spec.selector.matchExpressions[0].values[0]: Invalid value: "b c": a valid label',
    ],
  ],
  [
    "NetworkPolicy",
    { spec: { podSelector: selector({ operator: "In" }) } },
    ["spec.podSelector.matchExpressions[0].values: Required value: must be specified when"],
  ],
  [
    "Deployment",
    deployment({ strategy: { rollingUpdate: { maxSurge: -1 } } }),
    ["spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0"],
  ],
);

const autoscaler = (more: object) => ({
  spec: {
    scaleTargetRef: { kind: "Deployment", name: "web", apiVersion: "apps/v1" },
    maxReplicas: 3,
    ...more,
  },
});
const cpu = (target: object) =>
  autoscaler({ metrics: [{ type: "Resource", resource: { name: "cpu", target } }] });
const metric = "spec.metrics[0].resource.target";
const daemons = (rollingUpdate: object) =>
  deployment({ updateStrategy: { type: "RollingUpdate", rollingUpdate } });

taken.push(
  ["HorizontalPodAutoscaler", cpu({ type: "Value", averageValue: "1" })],
  [
    "HorizontalPodAutoscaler",
    autoscaler({ behavior: { scaleDown: { selectPolicy: "Disabled" } } }),
  ],
  ["DaemonSet", daemons({ maxSurge: "10%", maxUnavailable: "0%" })],
  ["ResourceQuota", { spec: { hard: { cpu: "500m", "requests.storage": "1.5", pods: "2k" } } }],
  ["Pod", pod({ hostname: "a", securityContext: { fsGroup: 0, fsGroupChangePolicy: "Always" } })],
  ["Job", { spec: { template, podReplacementPolicy: "Failed" } }],
);

refused.push(
  [
    "HorizontalPodAutoscaler",
    cpu({ type: "x", averageUtilization: 0 }),
    [
      `${metric}.type: Invalid value: "x": must be either Utilization, Value, or AverageValue`,
      `${metric}.averageUtilization: Invalid value: 0: must be greater than 0`,
    ],
  ],
  [
    "HorizontalPodAutoscaler",
    cpu({ type: "AverageValue" }),
    [`${metric}.averageUtilization: Required value: must set either a target raw value`],
  ],
  [
    "HorizontalPodAutoscaler",
    autoscaler({
      minReplicas: 0,
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 3601,
          policies: [{ type: "Pods", value: 0, periodSeconds: 1801 }],
        },
      },
    }),
    [
      "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
      "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601",
      "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
      "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801",
    ],
  ],
  [
    "DaemonSet",
    daemons({ maxSurge: 1, maxUnavailable: 1 }),
    ["spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when"],
  ],
  [
    "DaemonSet",
    daemons({ maxUnavailable: 0 }),
    ["spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge"],
  ],
  [
    "ResourceQuota",
    { spec: { hard: { pods: "1500m" } } },
    ['spec.hard[pods]: Invalid value: "1500m": must be an integer'],
  ],
  [
    "Pod",
    pod({ hostname: "A", securityContext: { fsGroup: -1, supplementalGroupsPolicy: "x" } }),
    [
      'spec.hostname: Invalid value: "A": a lowercase RFC 1123 label',
      "spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647",
      'spec.securityContext.supplementalGroupsPolicy: Unsupported value: "x"',
    ],
  ],
  [
    "Job",
    { spec: { template, podReplacementPolicy: "x", maxFailedIndexes: 1 } },
    [
      'spec.podReplacementPolicy: Unsupported value: "x"',
      "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
      "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
    ],
  ],
);

const gpu = "example.com/gpu";
const controller = (more: object) => ({
  spec: {
    template: { ...template, spec: { ...template.spec, restartPolicy: "Always" } },
    ...more,
  },
});

taken.push(
  ["Pod", container({ resources: { limits: { [gpu]: "2" }, requests: { [gpu]: "2" } } })],
  ["ReplicationController", controller({})],
);

refused.push(
  [
    "Pod",
    container({ resources: { limits: { [gpu]: "2" }, requests: { [gpu]: "1" } } }),
    [
      `spec.containers[0].resources.requests: Invalid value: "1": must be equal to ${gpu} limit of 2`,
    ],
  ],
  [
    "Pod",
    container({ resources: { requests: { [gpu]: "1" } } }),
    ["spec.containers[0].resources.limits: Required value: Limit must be set"],
  ],
  [
    "ReplicationController",
    controller({ selector: { a: "c" }, replicas: -1 }),
    [
      "spec.replicas: Invalid value: -1",
      'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match',
    ],
  ],
  [
    "ReplicationController",
    { spec: {} },
    ["spec.selector: Required value", "spec.template: Required value"],
  ],
);

const quota = (more: object) => ({ spec: { hard: { pods: "1", "count/x": "1" }, ...more } });
const scoped = (scopeName: string, operator: string, values?: string[]) =>
  quota({ scopeSelector: { matchExpressions: [{ scopeName, operator, values }] } });
const scope = "spec.scopeSelector.matchExpressions";

taken.push(
  ["ResourceQuota", quota({ scopes: ["BestEffort", "NotTerminating"] })],
  ["ResourceQuota", scoped("PriorityClass", "In", ["high"])],
  ["ResourceQuota", scoped("Terminating", "Exists")],
);

refused.push(
  [
    "ResourceQuota",
    quota({ scopes: ["VolumeAttributesClass", "Foo", "BestEffort", "NotBestEffort"] }),
    [
      'spec.scopes: Invalid value: ["VolumeAttributesClass","Foo","BestEffort","NotBestEffort"]: unsupported scope applied',
      'spec.scopes: Invalid value: ["VolumeAttributesClass","Foo","BestEffort","NotBestEffort"]: unsupported scope',
      'spec.scopes: Invalid value: ["VolumeAttributesClass","Foo","BestEffort","NotBestEffort"]: conflicting scopes',
    ],
  ],
  [
    "ResourceQuota",
    scoped("Terminating", "In"),
    [`${scope}.operator: Invalid value: "In": must be 'Exists'`, `${scope}.values: Required value`],
  ],
  [
    "ResourceQuota",
    scoped("PriorityClass", "Exists", ["high"]),
    [`${scope}.values: Invalid value: ["high"]: must be no value when`],
  ],
);

for (const [kind, object] of taken) {
  test(`${kind} is taken: ${JSON.stringify(object)}`, () => {
    assert.deepEqual(refusals(kind, object), []);
  });
}

for (const [kind, object, expected] of refused) {
  test(`${kind}: ${expected[0]}`, () => {
    assertTold(refusals(kind, object), expected);
  });
}
