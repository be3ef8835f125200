// Node authorization: a node's agent reads the Secrets, ConfigMaps, claims and volumes of the pods that are
// bound to it, makes tokens for their accounts, and keeps its own Node, Lease and CSINode. What is the same
// for every node are rules; what is not is asked of the graph. It allows and never denies: RBAC is asked
// after it.
import type { Attributes, Authorize } from "../../policy.ts";
import { clusterRules } from "../rbac/default-objects.ts";
import type { PolicyRule } from "../rbac/rules.ts";
import { evaluate } from "../rbac/rules.ts";
import type { NodeGraph } from "./node-graph.ts";
import { nodeOf } from "./node-identity.ts";

const reading = ["get", "list", "watch"];

/** Resources that differ from node to node: the role's rules do not speak of them here. */
type Judge = (node: string, asked: Attributes, graph: NodeGraph) => boolean | Promise<boolean>;

/** An escaped comma is part of a value: no node's own question has one. */
const selects = ({ fieldSelector = "" }: Attributes, field: string, value: string) =>
  !fieldSelector.includes("\\") && fieldSelector.split(",").includes(`${field}=${value}`);

const named: Judge = (node, { resource, namespace, name }, graph) =>
  name !== "" && namespace !== "" && graph.names(node, resource, namespace, name);

const own =
  (verbs: string[]): Judge =>
  (node, { verb, subresource, name }) =>
    subresource === "" && verbs.includes(verb) && (verb === "create" || name === node);

const judges: Record<string, Judge> = {
  secrets: async (node, asked, graph) =>
    reading.includes(asked.verb) &&
    asked.subresource === "" &&
    ((await named(node, asked, graph)) ||
      (await graph.reachesSecretOfVolume(node, asked.namespace, asked.name))),
  configmaps: (node, asked, graph) =>
    reading.includes(asked.verb) && asked.subresource === "" && named(node, asked, graph),
  persistentvolumeclaims: (node, asked, graph) =>
    (asked.subresource === "status"
      ? ["get", "update", "patch"].includes(asked.verb)
      : asked.subresource === "" && asked.verb === "get") && named(node, asked, graph),
  persistentvolumes: async (node, { verb, subresource, name }, graph) =>
    subresource === "" &&
    ((verb === "get" && (await graph.reachesVolume(node, name))) ||
      (["get", "patch"].includes(verb) && (await graph.keepsVolume(node, name)))),
  serviceaccounts: (node, asked, graph) =>
    (asked.subresource === "token" ? asked.verb === "create" : asked.verb === "get") &&
    named(node, asked, graph),
  "resourceclaims.resource.k8s.io": (node, asked, graph) =>
    asked.verb === "get" && asked.subresource === "" && named(node, asked, graph),
  "volumeattachments.storage.k8s.io": (node, { verb, subresource, name }, graph) =>
    verb === "get" && subresource === "" && graph.attaches(node, name),
  "leases.coordination.k8s.io": (node, asked, graph) =>
    asked.namespace === "kube-node-lease" &&
    own(["get", "create", "update", "patch", "delete"])(node, asked, graph),
  "csinodes.storage.k8s.io": own(["get", "create", "update", "patch", "delete"]),
  "resourceslices.resource.k8s.io": (node, asked) =>
    asked.subresource === "" &&
    (!["list", "watch", "deletecollection"].includes(asked.verb) ||
      selects(asked, "spec.nodeName", node)),
  nodes: (node, { verb, subresource, name }) =>
    verb === "create" || (name === node && ["", "status"].includes(subresource)),
  pods: (node, asked, graph) => {
    if (!reading.includes(asked.verb)) return true;
    if (asked.subresource !== "" && asked.subresource !== "status") return false;
    if (asked.name) return graph.runs(node, asked.namespace, asked.name);
    return asked.verb !== "get" && selects(asked, "spec.nodeName", node);
  },
};

/** Judged by what the graph says alone; the others must be in the rules too. */
const byGraph = new Set(["serviceaccounts", "persistentvolumeclaims", "persistentvolumes"]);

export function nodeAuthorizer(graph: () => Promise<NodeGraph>, after: Authorize): Authorize {
  const rules: readonly PolicyRule[] = clusterRules("system:node");
  const allows = async (node: string, asked: Attributes) => {
    const resource = asked.group ? `${asked.resource}.${asked.group}` : asked.resource;
    if (resource === "nodes" && asked.subresource === "tunnel") return asked.name === node;
    const judge = judges[resource];
    if (!byGraph.has(resource) && !evaluate(rules, asked)) return false;
    return judge ? judge(node, asked, await graph()) : true;
  };
  return async (user, asked) => {
    const node = nodeOf(user);
    if (node && (await allows(node, asked))) return { allowed: true, reason: "" };
    return after(user, asked);
  };
}
