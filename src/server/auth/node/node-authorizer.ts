// What a node's agent may do: read what the pods bound to it refer to, speak of itself and of those pods, and
// what the role system:node allows every node. No binding gives nodes that role, for it would let each node
// read every Secret.
import type { Attributes, Authorize } from "../../policy.ts";
import type { User } from "../../request.ts";
import { evaluate } from "../rbac/rules.ts";
import type { PolicyRule } from "../rbac/rules.ts";
import type { NodeGraph } from "./node-graph.ts";

const nodesGroup = "system:nodes";
const prefix = "system:node:";

/** The node that a user is the agent of. */
export function nodeOfUser({ name, groups }: User): string | undefined {
  return groups.includes(nodesGroup) && name.startsWith(prefix)
    ? name.slice(prefix.length)
    : undefined;
}

const allowed = { allowed: true, reason: "" };
const no = (reason: string) => ({ allowed: false, reason });

const resourceOf = ({ resource, group }: Attributes) => (group ? `${resource}.${group}` : resource);

const graphed = new Set([
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "resourceclaims.resource.k8s.io",
]);
const own = new Set(["nodes", "csinodes.storage.k8s.io"]);

async function judge(
  node: string,
  asked: Attributes,
  graph: () => Promise<NodeGraph>,
): Promise<{ allowed: boolean; reason: string } | undefined> {
  const { verb, subresource, namespace, name } = asked;
  const resource = resourceOf(asked);
  if (graphed.has(resource) && subresource === "") {
    if (!["get", "list", "watch"].includes(verb)) return no("can only read resources of this type");
    if (!name) return no("can only read single objects of this type by name");
    if ((await graph()).reaches(node, `${resource}/${namespace}/${name}`)) return allowed;
    return no(`no relationship found between node '${node}' and this object`);
  }
  if (resource === "persistentvolumes") {
    if (verb !== "get") return no("can only get individual resources of this type");
    if ((await graph()).reachesVolume(node, name)) return allowed;
    return no(`no relationship found between node '${node}' and this object`);
  }
  if (resource === "serviceaccounts") {
    if (verb !== "create" || subresource !== "token") return undefined;
    if ((await graph()).reaches(node, `serviceaccounts/${namespace}/${name}`)) return allowed;
    return no(`no relationship found between node '${node}' and this object`);
  }
  if (resource === "leases.coordination.k8s.io") {
    const mine = namespace === "kube-node-lease" && (name === node || verb === "create");
    return mine
      ? undefined
      : no("can only access node lease with the same name as the requesting node");
  }
  if (own.has(resource) && !["create", "list", "watch"].includes(verb) && name !== node) {
    return no("node can only access its own object");
  }
  return undefined;
}

/** Judges nodes; all others, and what is left open, are judged by `next`. `rules` are system:node's. */
export function nodeAuthorizer(
  graph: () => Promise<NodeGraph>,
  rules: () => readonly PolicyRule[],
  next: Authorize,
): Authorize {
  return async (user, asked) => {
    const node = nodeOfUser(user);
    if (node === undefined || !asked.resource) return next(user, asked);
    const verdict = await judge(node, asked, graph);
    if (verdict?.allowed) return verdict;
    if (!verdict && evaluate(rules(), asked)) return allowed;
    const other = await next(user, asked);
    return other.allowed || !verdict ? other : verdict;
  };
}
