// One table: what each filter says of node "n", in upstream's words.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { info, node, snapshotOf, type NodeFixture, type PodFixture } from "../fixtures.ts";
import { podInfo } from "../pod-info.ts";
import { filters } from "../profile.ts";
import { noVolumes, Snapshot } from "../snapshot.ts";

interface Row {
  filter: string;
  when: string;
  pod?: PodFixture;
  on?: NodeFixture;
  /** Pods on "n", and on a node "other" in another zone. */
  here?: PodFixture[];
  there?: PodFixture[];
  /** Absent: suits. */
  says?: string[];
}

const requiredNodeAffinity = (...nodeSelectorTerms: object[]) => ({
  spec: {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
      },
    },
  },
});
const term = { topologyKey: "zone", labelSelector: { matchLabels: { app: "web" } } };
const required = (kind: "podAffinity" | "podAntiAffinity", of: object = term): PodFixture => ({
  labels: { app: "web" },
  spec: { affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [of] } } },
});
const port = (hostPort: number, more: object = {}): PodFixture => ({
  spec: { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort, ...more }] }] },
});
const web: PodFixture = { labels: { app: "web" } };
const spread = (more: object = {}): PodFixture => ({
  ...web,
  spec: {
    topologySpreadConstraints: [
      { ...term, maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", ...more },
    ],
  },
});
const taint = { key: "k", value: "v", effect: "NoSchedule" };
const noAffinity = "node(s) didn't match Pod's node affinity/selector";
const noPorts = "node(s) didn't have free ports for the requested pod ports";
const noSpread = "node(s) didn't match pod topology spread constraints";

const table: Row[] = [
  { filter: "NodeName", when: "no name is asked for" },
  {
    filter: "NodeName",
    when: "another is asked for",
    pod: { spec: { nodeName: "m" } },
    says: ["node(s) didn't match the requested node name"],
  },
  {
    filter: "NodeUnschedulable",
    when: "cordoned",
    on: { unschedulable: true },
    says: ["node(s) were unschedulable"],
  },
  {
    filter: "NodeUnschedulable",
    when: "cordoned and tolerated",
    on: { unschedulable: true },
    pod: { spec: { tolerations: [{ operator: "Exists" }] } },
  },
  {
    filter: "TaintToleration",
    when: "tainted",
    on: { taints: [taint] },
    says: ["node(s) had untolerated taint {k: v}"],
  },
  {
    filter: "TaintToleration",
    when: "tainted and tolerated",
    on: { taints: [taint] },
    pod: { spec: { tolerations: [{ key: "k", value: "v" }] } },
  },
  {
    filter: "TaintToleration",
    when: "only preferred away",
    on: { taints: [{ ...taint, effect: "PreferNoSchedule" }] },
  },
  {
    filter: "NodeAffinity",
    when: "the selector matches",
    on: { labels: { disk: "ssd" } },
    pod: { spec: { nodeSelector: { disk: "ssd" } } },
  },
  {
    filter: "NodeAffinity",
    when: "the selector does not match",
    pod: { spec: { nodeSelector: { disk: "ssd" } } },
    says: [noAffinity],
  },
  {
    filter: "NodeAffinity",
    when: "one of two terms matches",
    on: { labels: { cores: "8" } },
    pod: requiredNodeAffinity(
      { matchExpressions: [{ key: "cores", operator: "Lt", values: ["4"] }] },
      { matchExpressions: [{ key: "cores", operator: "Gt", values: ["4"] }] },
    ),
  },
  {
    filter: "NodeAffinity",
    when: "the term is empty",
    pod: requiredNodeAffinity({}),
    says: [noAffinity],
  },
  {
    filter: "NodeAffinity",
    when: "the node is named",
    pod: requiredNodeAffinity({
      matchFields: [{ key: "metadata.name", operator: "In", values: ["n"] }],
    }),
  },
  { filter: "NodePorts", when: "another port is taken", pod: port(80), here: [port(81)] },
  { filter: "NodePorts", when: "taken", pod: port(80), here: [port(80)], says: [noPorts] },
  {
    filter: "NodePorts",
    when: "taken on another address",
    pod: port(80, { hostIP: "10.0.0.1" }),
    here: [port(80, { hostIP: "10.0.0.2" })],
  },
  {
    filter: "NodePorts",
    when: "every address is wanted and one is taken",
    pod: port(80),
    here: [port(80, { hostIP: "10.0.0.2" })],
    says: [noPorts],
  },
  {
    filter: "NodePorts",
    when: "taken for another protocol",
    pod: port(53, { protocol: "UDP" }),
    here: [port(53)],
  },
  {
    filter: "NodeResourcesFit",
    when: "exactly full",
    pod: { requests: { cpu: "1", memory: "1Gi" } },
    on: { allocatable: { cpu: "2", memory: "2Gi" } },
    here: [{ requests: { cpu: "1", memory: "1Gi" } }],
  },
  {
    filter: "NodeResourcesFit",
    when: "short of everything",
    pod: {
      requests: { cpu: "1001m", memory: "2Gi", "ephemeral-storage": "1Gi", "example.com/gpu": "1" },
    },
    on: { allocatable: { cpu: "1", memory: "1Gi", pods: "0" } },
    says: [
      "Too many pods",
      "Insufficient cpu",
      "Insufficient memory",
      "Insufficient ephemeral-storage",
      "Insufficient example.com/gpu",
    ],
  },
  {
    filter: "NodeResourcesFit",
    when: "a sidecar runs beside the larger init container",
    pod: {
      spec: {
        containers: [{ name: "c", resources: { requests: { cpu: "1" } } }],
        initContainers: [
          { name: "s", restartPolicy: "Always", resources: { requests: { cpu: "1" } } },
          { name: "i", resources: { requests: { cpu: "3500m" } } },
        ],
      },
    },
    says: ["Insufficient cpu"],
  },
  {
    filter: "PodTopologySpread",
    when: "balanced",
    pod: spread(),
    here: [web],
    there: [web],
  },
  {
    filter: "PodTopologySpread",
    when: "skewed",
    pod: spread(),
    here: [web],
    says: [noSpread],
  },
  {
    filter: "PodTopologySpread",
    when: "too few domains count as an empty one",
    pod: spread({ minDomains: 3 }),
    here: [web],
    there: [web],
    says: [noSpread],
  },
  {
    filter: "PodTopologySpread",
    when: "the label is missing",
    pod: spread({ topologyKey: "rack" }),
    says: [`${noSpread} (missing required label)`],
  },
  {
    filter: "PodTopologySpread",
    when: "the label is missing, and has the name of what every object has",
    pod: spread({ topologyKey: "constructor" }),
    says: [`${noSpread} (missing required label)`],
  },
  {
    filter: "InterPodAffinity",
    when: "the first of a group",
    pod: required("podAffinity"),
  },
  {
    filter: "InterPodAffinity",
    when: "the group is elsewhere",
    pod: required("podAffinity"),
    there: [web],
    says: ["node(s) didn't match pod affinity rules"],
  },
  {
    filter: "InterPodAffinity",
    when: "the group is of another namespace",
    pod: { ...required("podAffinity"), labels: {} },
    here: [{ ...web, namespace: "other" }],
    says: ["node(s) didn't match pod affinity rules"],
  },
  {
    filter: "InterPodAffinity",
    when: "the group is of a namespace the term selects",
    pod: { ...required("podAffinity", { ...term, namespaceSelector: {} }), labels: {} },
    here: [{ ...web, namespace: "other" }],
  },
  {
    filter: "InterPodAffinity",
    when: "one it avoids is here",
    pod: required("podAntiAffinity"),
    here: [web],
    says: ["node(s) didn't match pod anti-affinity rules"],
  },
  {
    filter: "InterPodAffinity",
    when: "one that avoids it is here",
    pod: web,
    here: [required("podAntiAffinity")],
    says: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  },
];

for (const row of table) {
  test(`${row.filter}: ${row.when}`, () => {
    const here = (row.here ?? []).map((of, i) => info(`here-${i}`, of));
    const there = (row.there ?? []).map((of, i) => info(`there-${i}`, of));
    const snapshot = snapshotOf(
      [
        node("n", { ...row.on, labels: { zone: "a", ...row.on?.labels } }),
        node("other", { labels: { zone: "b" } }),
      ],
      { n: here, other: there },
    );
    const filter = filters.find(({ name }) => name === row.filter)!;
    const check = filter.prepare(info("new", row.pod), snapshot);
    assert.ok(check === undefined || typeof check === "function");
    assert.deepEqual(check?.(snapshot.byName.get("n")!)?.reasons, row.says);
  });
}

const claim = (spec: object, status: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", uid: "u", resourceVersion: "1", creationTimestamp: "" },
  spec,
  status,
});
const volumeOn = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "pv", uid: "v", resourceVersion: "1", creationTimestamp: "" },
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    storageClassName: "local",
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [
          { matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] },
        ],
      },
    },
  },
});
const waiting = {
  storageClassName: "local",
  accessModes: ["ReadWriteOnce"],
  resources: { requests: { storage: "1Gi" } },
};
const volumeTable: {
  when: string;
  claim?: KubeObject;
  volume?: KubeObject;
  provisioner?: string;
  says?: string;
}[] = [
  { when: "the claim is missing", says: 'persistentvolumeclaim "data" not found' },
  {
    when: "the claim is not bound and will not wait",
    claim: claim({}),
    says: "pod has unbound immediate PersistentVolumeClaims",
  },
  {
    when: "bound to a volume of this node",
    claim: claim({ volumeName: "pv" }),
    volume: volumeOn("n"),
  },
  {
    when: "bound to a volume of another node",
    claim: claim({ volumeName: "pv" }),
    volume: volumeOn("m"),
    says: "node(s) had volume node affinity conflict",
  },
  { when: "a volume will be made here", claim: claim(waiting), provisioner: "example.com/disk" },
  { when: "a free volume is here", claim: claim(waiting), volume: volumeOn("n") },
  {
    when: "no free volume is here",
    claim: claim(waiting),
    volume: volumeOn("m"),
    says: "node(s) didn't find available persistent volumes to bind",
  },
];

for (const row of volumeTable) {
  test(`VolumeBinding: ${row.when}`, () => {
    const snapshot = new Snapshot({
      ...noVolumes,
      claim: () => row.claim,
      volume: () => row.volume,
      volumes: () => (row.volume ? [row.volume] : []),
      storageClass: () =>
        ({
          volumeBindingMode: "WaitForFirstConsumer",
          provisioner: row.provisioner ?? "kubernetes.io/no-provisioner",
        }) as unknown as KubeObject,
    });
    snapshot.setNode(node("n"));
    const { pod } = info("p", {
      spec: { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }] },
    });
    const check = filters
      .find(({ name }) => name === "VolumeBinding")!
      .prepare(podInfo(pod), snapshot);
    if (typeof check !== "function") return assert.equal(check?.refused, row.says);
    assert.deepEqual(check(snapshot.nodes[0]!)?.reasons[0], row.says);
  });
}
