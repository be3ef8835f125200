// What a real API server refuses of the kinds that people write most, in its words.
import { test } from "node:test";
import {
  assertTold,
  base64,
  binding,
  claim,
  container,
  deployment,
  group,
  ingress,
  pod,
  policy,
  refusals,
  scaleTargetRef,
  service,
  template,
} from "./test-objects.ts";

const cases: [kind: string, object: object, refused: string[]][] = [
  [
    "Secret",
    { type: "kubernetes.io/tls", data: {} },
    ["data[tls.crt]: Required value", "data[tls.key]: Required value"],
  ],
  [
    "Secret",
    { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": base64("a") } },
    ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>"'],
  ],
  [
    "Secret",
    { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": base64("{}") } },
    [],
  ],
  ["Secret", { type: "kubernetes.io/basic-auth", data: { password: base64("a") } }, []],
  [
    "Pod",
    container({
      envFrom: [{}],
      env: [{ name: "A", value: "1", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      livenessProbe: { httpGet: { port: 0 }, periodSeconds: -1, successThreshold: 2 },
      lifecycle: { postStart: {} },
    }),
    [
      "spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between",
      "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1",
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
      "spec.containers[0].lifecycle.postStart: Required value: must specify a handler type",
      'spec.containers[0].env[0].valueFrom: Invalid value: ""',
      'spec.containers[0].envFrom: Invalid value: ""',
    ],
  ],
  [
    "Pod",
    container({
      ports: [{ containerPort: 80, hostPort: 70_000 }],
      securityContext: { privileged: true, allowPrivilegeEscalation: false },
      resources: { limits: { foo: "1" } },
      volumeMounts: [{ name: "v", mountPath: "/a", subPath: "../b" }],
    }),
    [
      "spec.containers[0].ports[0].hostPort: Invalid value: 70000",
      'spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource type',
      'spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource for',
      'spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource type',
      'spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource for',
      'spec.containers[0].securityContext: Invalid value: {"privileged":',
      "spec.containers[0].volumeMounts.subPath: Invalid value: \"../b\": must not contain '..'",
    ],
  ],
  [
    "Pod",
    pod({
      dnsPolicy: "None",
      activeDeadlineSeconds: 0,
      nodeSelector: { "a b": "c" },
      tolerations: [{ operator: "Exists", key: "x", value: "v" }, { tolerationSeconds: 3 }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] },
        },
      },
      topologySpreadConstraints: [{ maxSkew: 0, topologyKey: "", whenUnsatisfiable: "Foo" }],
    }),
    [
      'spec.nodeSelector: Invalid value: "a b"',
      'spec.tolerations[0].operator: Invalid value: "v": value must be empty',
      'spec.tolerations[1].operator: Invalid value: "": operator must be Exists',
      "spec.tolerations[1].effect: Invalid value: \"\": effect must be 'NoExecute'",
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required",
      "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
      "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
      'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Foo"',
      "spec.dnsConfig: Required value",
      "spec.activeDeadlineSeconds: Invalid value: 0",
    ],
  ],
  [
    "Pod",
    pod({
      volumes: [
        { name: "v", emptyDir: {}, configMap: { name: "x" } },
        { name: "w", hostPath: { path: "/a/../b", type: "Foo" } },
        { name: "x", configMap: { name: "x", items: [{ key: "a", path: "../b" }] } },
        { name: "z", secret: {} },
      ],
      affinity: {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{}] },
      },
    }),
    [
      "spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type",
      'spec.volumes[1].hostPath.type: Unsupported value: "Foo"',
      "spec.volumes[1].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
      "spec.volumes[2].configMap.items[0].path: Invalid value: \"../b\": must not contain '..'",
      "spec.volumes[3].secret.secretName: Required value",
      "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required",
      'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty',
      'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must consist',
    ],
  ],
  [
    "PersistentVolume",
    { spec: { accessModes: ["Foo"] } },
    [
      'spec.accessModes: Unsupported value: "Foo"',
      "spec.capacity: Required value",
      "spec.capacity: Unsupported value: {}",
      "spec: Required value: must specify a volume type",
    ],
  ],
  [
    "PersistentVolume",
    {
      spec: {
        accessModes: ["ReadWriteOnce"],
        capacity: { storage: "1Gi" },
        hostPath: { path: "/a" },
        nfs: { server: "x", path: "/" },
      },
    },
    ["spec.nfs: Forbidden: may not specify more than 1 volume type"],
  ],
  [
    "PriorityClass",
    { metadata: { name: "system-x" }, value: 2_000_000_000 },
    ["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved"],
  ],
  [
    "PriorityClass",
    { value: 2_000_000_000 },
    ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
  ],
  ["PriorityClass", { metadata: { name: "system-node-critical" }, value: 2_000_001_000 }, []],
  [
    "StorageClass",
    { provisioner: "a", reclaimPolicy: "Foo", volumeBindingMode: "Bar" },
    ['reclaimPolicy: Unsupported value: "Foo"', 'volumeBindingMode: Unsupported value: "Bar"'],
  ],
  [
    "StatefulSet",
    deployment({ podManagementPolicy: "Foo", updateStrategy: { type: "Bar" } }),
    [
      'spec.updateStrategy: Invalid value: {"type":"Bar"}',
      'spec.podManagementPolicy: Invalid value: "Foo": must be',
    ],
  ],
  [
    "Service",
    {
      spec: {
        type: "ClusterIP",
        ports: [{ port: 80, nodePort: 31_111 }],
        externalIPs: ["foo"],
        selector: { "a b": "c" },
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } },
      },
    },
    [
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
      'spec.selector: Invalid value: "a b"',
      'spec.externalIPs[0]: Invalid value: "foo": must be a valid IP address',
      "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0",
    ],
  ],
  [
    "Service",
    service({ name: "a", port: 80 }, { name: "a", port: 81 }),
    ['spec.ports[1].name: Duplicate value: "a"'],
  ],
  [
    "Service",
    service({ port: 80, targetPort: 70_000 }),
    ["spec.ports[0].targetPort: Invalid value: 70000"],
  ],
  ["Service", service({ port: 80, targetPort: "http" }), []],
  [
    "PersistentVolumeClaim",
    claim("-1Gi", "Foo"),
    [
      'spec.accessModes: Unsupported value: "Foo"',
      'spec.resources[storage]: Invalid value: "-1Gi": must be greater than zero',
    ],
  ],
  ["PersistentVolumeClaim", claim("1Gi", "ReadWriteOnce"), []],
  [
    "ResourceQuota",
    { spec: { hard: { foo: "1", pods: "-1", "count/jobs.batch": "3" } } },
    [
      'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota',
      'spec.hard[pods]: Invalid value: "-1"',
    ],
  ],
  [
    "LimitRange",
    { spec: { limits: [{ type: "Container", min: { cpu: "2" }, max: { cpu: "1" } }] } },
    [
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request',
      'spec.limits[0].default[cpu]: Invalid value: "1": min value 2 is greater than default value 1',
    ],
  ],
  [
    "Deployment",
    deployment({ strategy: { type: "Recreate", rollingUpdate: {} } }),
    [
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
  ],
  [
    "Deployment",
    deployment({
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: "0%" } },
    }),
    [
      "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
    ],
  ],
  [
    "Deployment",
    deployment({ minReadySeconds: 600, progressDeadlineSeconds: 600 }),
    ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
  ],
  [
    "Job",
    { spec: { template, parallelism: -1, completionMode: "Indexed" } },
    [
      "spec.parallelism: Invalid value: -1",
      "spec.completions: Required value: when completion mode is Indexed",
    ],
  ],
  [
    "HorizontalPodAutoscaler",
    { spec: { scaleTargetRef, minReplicas: 5, maxReplicas: 2, metrics: [{ type: "Pods" }] } },
    [
      "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`",
      "spec.metrics[0].pods: Required value",
    ],
  ],
  [
    "PodDisruptionBudget",
    { spec: { minAvailable: "101%", maxUnavailable: 1 } },
    [
      "spec: Invalid value: ",
      'spec.minAvailable: Invalid value: "101%": must not be greater than 100%',
    ],
  ],
  [
    "NetworkPolicy",
    policy({ ipBlock: { cidr: "1.2.3.4/40" } }, { port: "BAD_" }),
    [
      'spec.ingress[0].ports[0].port: Invalid value: "BAD_": must contain only',
      'spec.ingress[0].ports[0].port: Invalid value: "BAD_": must contain at least one letter',
      'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "1.2.3.4/40": must be a valid CIDR value',
    ],
  ],
  [
    "NetworkPolicy",
    policy({ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16", "10.0.0.0/8"] } }),
    [
      'spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
    ],
  ],
  [
    "NetworkPolicy",
    policy({}, { port: 80, endPort: 79 }),
    [
      "spec.ingress[0].ports[0].endPort: Invalid value: 80",
      "spec.ingress[0].from[0]: Required value: must specify a peer",
    ],
  ],
  ["Ingress", ingress("a.*.b", {}), ['spec.rules[0].host: Invalid value: "a.*.b"']],
  [
    "Ingress",
    ingress("*.example.org", { path: "x", backend: {} }),
    [
      'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
      'spec.rules[0].http.paths[0].backend: Invalid value: ""',
    ],
  ],
  [
    "Ingress",
    { spec: {} },
    ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
  ],
  [
    "Role",
    { rules: [{ verbs: [], nonResourceURLs: ["/metrics"] }] },
    [
      "rules[0].verbs: Required value",
      'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs',
    ],
  ],
  [
    "ClusterRole",
    {
      rules: [
        { verbs: ["get"], nonResourceURLs: ["/metrics"] },
        { verbs: ["get"], apiGroups: [""] },
      ],
    },
    ["rules[1].resources: Required value"],
  ],
  [
    "RoleBinding",
    binding({ kind: "Foo" }, { kind: "User", name: "x", apiGroup: group }),
    ['roleRef.kind: Unsupported value: "Foo": supported values: "Role", "ClusterRole"'],
  ],
  [
    "RoleBinding",
    binding({ kind: undefined }, { name: "x", apiGroup: group }),
    ['roleRef.kind: Unsupported value: ""', 'subjects[0].kind: Unsupported value: ""'],
  ],
  [
    "ClusterRoleBinding",
    binding({}, { kind: "ServiceAccount", name: "x" }),
    ["subjects[0].namespace: Required value"],
  ],
];

for (const [kind, object, expected] of cases) {
  test(`${kind}: ${expected[0] ?? `${JSON.stringify(object)} is taken`}`, () => {
    assertTold(refusals(kind, object), expected);
  });
}
