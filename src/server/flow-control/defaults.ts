// The FlowSchemas and PriorityLevelConfigurations that a cluster begins with, upstream's: requests of the
// system do not wait for those of workloads, and administrators wait for nobody.
import type { Draft } from "../../kinds/object.ts";

const apiVersion = "flowcontrol.apiserver.k8s.io/v1";
const annotations = { "apf.kubernetes.io/autoupdate-spec": "true" };

const object = (kind: string, name: string, spec: object): Draft => ({
  apiVersion,
  kind,
  metadata: { name, annotations },
  spec,
});

const level = (name: string, shares: number, lendablePercent: number, queuing?: number[]) => {
  const [queues, handSize] = queuing ?? [];
  return object("PriorityLevelConfiguration", name, {
    type: "Limited",
    limited: {
      nominalConcurrencyShares: shares,
      lendablePercent,
      limitResponse: queuing
        ? { type: "Queue", queuing: { queues, handSize, queueLengthLimit: 50 } }
        : { type: "Reject" },
    },
  });
};

const levels: Draft[] = [
  object("PriorityLevelConfiguration", "exempt", {
    type: "Exempt",
    exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 },
  }),
  level("catch-all", 5, 0),
  level("system", 30, 33, [64, 6]),
  level("node-high", 40, 25, [64, 6]),
  level("leader-election", 10, 0, [16, 4]),
  level("workload-high", 40, 50, [128, 6]),
  level("workload-low", 100, 90, [128, 6]),
  level("global-default", 20, 50, [128, 6]),
];

const users = (...names: string[]) => names.map((name) => ({ kind: "User", user: { name } }));
const groups = (...names: string[]) => names.map((name) => ({ kind: "Group", group: { name } }));
const systemAccounts = {
  kind: "ServiceAccount",
  serviceAccount: { namespace: "kube-system", name: "*" },
};

const resources = (verbs: string[], apiGroup: string, names: string[], clusterScope: boolean) => ({
  verbs,
  apiGroups: [apiGroup],
  resources: names,
  ...(clusterScope && { clusterScope }),
  namespaces: ["*"],
});
const everything = {
  resourceRules: [resources(["*"], "*", ["*"], true)],
  nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
};
const leases = (verbs: string[]) => resources(verbs, "coordination.k8s.io", ["leases"], false);

interface SchemaOptions {
  level: string;
  precedence: number;
  by?: "ByUser" | "ByNamespace";
  subjects: object[];
  rules?: object;
}

const schema = (name: string, options: SchemaOptions) =>
  object("FlowSchema", name, {
    priorityLevelConfiguration: { name: options.level },
    matchingPrecedence: options.precedence,
    ...(options.by && { distinguisherMethod: { type: options.by } }),
    rules: [{ subjects: options.subjects, ...(options.rules ?? everything) }],
  });

const anybody = groups("system:unauthenticated", "system:authenticated");
const nodes = groups("system:nodes");
const managers = users("system:kube-controller-manager");
const schedulers = users("system:kube-scheduler");

const schemas: Draft[] = [
  schema("exempt", { level: "exempt", precedence: 1, subjects: groups("system:masters") }),
  schema("catch-all", { level: "catch-all", precedence: 10_000, by: "ByUser", subjects: anybody }),
  schema("probes", {
    level: "exempt",
    precedence: 2,
    subjects: anybody,
    rules: {
      nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] }],
    },
  }),
  schema("system-leader-election", {
    level: "leader-election",
    precedence: 100,
    by: "ByUser",
    subjects: [...managers, ...schedulers, systemAccounts],
    rules: { resourceRules: [leases(["get", "create", "update"])] },
  }),
  schema("system-node-high", {
    level: "node-high",
    precedence: 400,
    by: "ByUser",
    subjects: nodes,
    rules: {
      resourceRules: [resources(["*"], "", ["nodes", "nodes/status"], true), leases(["*"])],
    },
  }),
  schema("system-nodes", { level: "system", precedence: 500, by: "ByUser", subjects: nodes }),
  schema("kube-controller-manager", {
    level: "workload-high",
    precedence: 800,
    by: "ByNamespace",
    subjects: managers,
  }),
  schema("kube-scheduler", {
    level: "workload-high",
    precedence: 800,
    by: "ByNamespace",
    subjects: schedulers,
  }),
  schema("kube-system-service-accounts", {
    level: "workload-high",
    precedence: 900,
    by: "ByNamespace",
    subjects: [systemAccounts],
  }),
  schema("service-accounts", {
    level: "workload-low",
    precedence: 9000,
    by: "ByUser",
    subjects: groups("system:serviceaccounts"),
  }),
  schema("global-default", {
    level: "global-default",
    precedence: 9900,
    by: "ByUser",
    subjects: anybody,
  }),
];

export const defaultFlowObjects = (): Draft[] => structuredClone([...levels, ...schemas]);
