// The default roles and bindings as the objects that are stored.
import type { Draft } from "../../../kinds/object.ts";
import { controllerRoles } from "./controller-roles.ts";
import {
  clusterBindings,
  clusterRoles,
  type Grant,
  namespacedBindings,
  namespacedRoles,
  type RoleData,
} from "./default-roles.ts";
import type { PolicyRule } from "./rules.ts";

const apiVersion = "rbac.authorization.k8s.io/v1";
const group = "rbac.authorization.k8s.io";
const marks = {
  labels: { "kubernetes.io/bootstrapping": "rbac-defaults" },
  annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
};

const words = (text: string) => text.split(" ");

/** One rule for paths, or one for each API group a grant names. */
function rulesOf([verbs, resources, names]: Grant): PolicyRule[] {
  if (resources.startsWith("/")) {
    return [{ verbs: words(verbs), nonResourceURLs: words(resources).map(path) }];
  }
  const byGroup = new Map<string, string[]>();
  for (const word of words(resources)) {
    const colon = word.indexOf(":");
    const apiGroup = word.slice(0, Math.max(colon, 0));
    byGroup.set(apiGroup, [...(byGroup.get(apiGroup) ?? []), word.slice(colon + 1)]);
  }
  return [...byGroup].map(([apiGroup, list]) => ({
    verbs: words(verbs),
    apiGroups: [apiGroup],
    resources: list,
    ...(names && { resourceNames: words(names) }),
  }));
}

const path = (text: string) => (text === "/*" ? "*" : text);

const aggregateLabel = (role: string) => `rbac.authorization.k8s.io/aggregate-to-${role}`;

/** What an aggregated role comes to, so that it reads the same as where a controller writes it out. */
function aggregate(name: string): PolicyRule[] {
  return Object.entries(clusterRoles)
    .filter(([, data]) => data.aggregateTo === name)
    .flatMap(([role, data]) => (data.aggregated ? aggregate(role) : rules(data)));
}

const rules = ({ grants = [] }: RoleData) => grants.flatMap(rulesOf);

/** The rules of a default ClusterRole. */
export const clusterRules = (name: string): PolicyRule[] => rules(clusterRoles[name]!);

function clusterRole(name: string, data: RoleData): Draft {
  const labels = {
    ...marks.labels,
    ...(data.aggregateTo && { [aggregateLabel(data.aggregateTo)]: "true" }),
  };
  const selectors = [{ matchLabels: { [aggregateLabel(name)]: "true" } }];
  return {
    apiVersion,
    kind: "ClusterRole",
    metadata: { name, labels, annotations: marks.annotations },
    ...(data.aggregated && { aggregationRule: { clusterRoleSelectors: selectors } }),
    rules: data.aggregated ? aggregate(name) : rules(data),
  };
}

function subject([kind, name]: [string, string], namespace = "kube-system") {
  return kind === "ServiceAccount" ? { kind, name, namespace } : { apiGroup: group, kind, name };
}

const clusterBinding = (name: string, subjects: [string, string][]): Draft => ({
  apiVersion,
  kind: "ClusterRoleBinding",
  metadata: { name, ...marks },
  roleRef: { apiGroup: group, kind: "ClusterRole", name },
  subjects: subjects.map((one) => subject(one)),
});

/** Roles before the bindings that name them. */
export function defaultRbacObjects(): Draft[] {
  const objects: Draft[] = [];
  for (const [name, data] of Object.entries(clusterRoles)) objects.push(clusterRole(name, data));
  for (const [short, grants] of Object.entries(controllerRoles)) {
    objects.push(clusterRole(`system:controller:${short}`, { grants }));
  }
  for (const [namespace, roles] of Object.entries(namespacedRoles)) {
    for (const [name, data] of Object.entries(roles)) {
      const metadata = { name, namespace, ...marks };
      objects.push({ apiVersion, kind: "Role", metadata, rules: rules(data) });
    }
  }
  for (const [name, subjects] of Object.entries(clusterBindings)) {
    objects.push(clusterBinding(name, subjects));
  }
  for (const short of Object.keys(controllerRoles)) {
    objects.push(clusterBinding(`system:controller:${short}`, [["ServiceAccount", short]]));
  }
  for (const [namespace, bindings] of Object.entries(namespacedBindings)) {
    for (const [name, subjects] of Object.entries(bindings)) {
      objects.push({
        apiVersion,
        kind: "RoleBinding",
        metadata: { name, namespace, ...marks },
        roleRef: { apiGroup: group, kind: "Role", name },
        subjects: subjects.map((one) => subject(one)),
      });
    }
  }
  return objects;
}
