// Gives every Configuration the name of its resource, chooses the node that looks where one does for all, and says
// in conditions what the nodes' searches came to.
// Names of resources know no namespaces: the first of a name has Akri's domain, another has its namespace in it.
import { keyOf } from "../../client/cache.ts";
import { resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { conditionOf, withTimes } from "../kinds/condition.ts";
import type { Condition } from "../kinds/condition.ts";
import { configurations } from "../kinds/configuration.ts";
import type { Configuration, NodeSearch } from "../kinds/configuration.ts";
import { releaseLeft } from "../agent/left-finalizers.ts";
import { isLost } from "./node-controller.ts";

const nodes = resource("v1", "nodes");

const ageOf = ({ metadata: { creationTimestamp, uid } }: Configuration) =>
  `${creationTimestamp} ${uid}`;

/** Once given it stays, since pods ask for it. Pure. */
export function resourceOf(configuration: Configuration, all: Configuration[]): string {
  const { name, namespace } = configuration.metadata;
  const known = configuration.status?.resourceName;
  if (known) return known;
  const plain = `akri.sh/${name}`;
  const isTaken = all.some((one) => {
    if (one.metadata.name !== name || one.metadata.namespace === namespace) return false;
    const its = one.status?.resourceName;
    return its === undefined ? ageOf(one) < ageOf(configuration) : its === plain;
  });
  return isTaken ? `${namespace}.akri.sh/${name}` : plain;
}

/**
 * Who looks for all: who does already, unless it is lost; else one of those that say that they could. Where all are
 * lost it stays, since nobody would do better. Pure.
 */
export function searchNodeOf(
  { spec, status = {} }: Configuration,
  isThere: (node: string) => boolean,
): string | undefined {
  if (spec?.searchBy !== "OneNode") return undefined;
  const able = (status.nodes ?? []).map(({ name }) => name).filter(isThere);
  const { searchNode } = status;
  return searchNode && able.includes(searchNode) ? searchNode : (able.sort()[0] ?? searchNode);
}

type Said = Omit<Condition, "lastTransitionTime">;

const searching = new Set(["Found", "DevicesRefused"]);
const idle = new Set(["Searching", "Standby"]);

const counted = (count: number, one: string, more: string) =>
  `${count} ${count === 1 ? one : more}`;

/** Pure. */
export function conditionsOf(nodes: NodeSearch[]): Said[] {
  const devices = nodes.reduce((sum, one) => sum + one.devices, 0);
  const troubled = nodes.filter(({ reason }) => !searching.has(reason) && !idle.has(reason));
  const [worst] = troubled;
  const refusing = nodes.filter(({ reason }) => reason === "DevicesRefused");
  const isSearched = nodes.some(({ reason }) => searching.has(reason));
  const where = nodes.filter((one) => one.devices > 0).length;
  const count = `${devices} on ${counted(where, "node", "nodes")}`;
  const found: Said = {
    type: "Found",
    status: devices > 0 ? "True" : "False",
    reason: refusing[0]?.reason ?? (devices > 0 ? "DevicesFound" : "NoDevices"),
    message: [count, ...refusing.map(({ name, message }) => `${name}: ${message}`)].join("; "),
  };
  if (nodes.length === 0) {
    const message = "no node looks for devices yet";
    return [{ type: "Searching", status: "Unknown", reason: "NoNode", message }, found];
  }
  const trouble = worst && `${worst.name}: ${worst.message}`;
  const said: Said = worst
    ? { type: "Searching", status: isSearched ? "True" : "False", reason: worst.reason }
    : { type: "Searching", status: "True", reason: "Looking" };
  return [
    { ...said, message: trouble ?? counted(nodes.length, "node looks", "nodes look") },
    found,
  ];
}

async function reconcile(key: string, context: ControllerContext) {
  const { client, clock, event, informer } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const all = informer(configurations).list() as Configuration[];
  const configuration = informer(configurations).get(name, namespace) as Configuration | undefined;
  if (!configuration) return;
  const { status = {} } = configuration;
  const searched = (status.nodes ?? []).map((one) => one.name);
  await releaseLeft(client, configurations, configuration, searched);
  const resourceName = resourceOf(configuration, all);
  const said = conditionsOf(status.nodes ?? []);
  const conditions = withTimes(status.conditions, said, timestamp(clock.now()));
  const searchNode = searchNodeOf(configuration, (node) => !isLost(informer(nodes).get(node)));
  const before = [status.resourceName, status.searchNode, status.conditions];
  if (jsonEqual(before, [resourceName, searchNode, conditions])) return;
  const refused = conditions.find(({ reason }) => reason === "DevicesRefused");
  if (refused && refused.message !== conditionOf(configuration, "Found")?.message) {
    event(configuration, "Warning", "DevicesRefused", refused.message!);
  }
  const draft = {
    apiVersion: "akri.sh/v0",
    kind: "Configuration",
    metadata: { name, namespace, uid: configuration.metadata.uid },
    status: { resourceName, conditions, ...(searchNode !== undefined && { searchNode }) },
  };
  const target = { ...configurations, namespace, name, subresource: "status" };
  const options = { fieldManager: "akri-controller", force: true };
  await client.patch(target, "apply", draft, options).catch((error: unknown) => {
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  });
}

export const configurationStatus: Controller = {
  name: "akri-configuration",
  inputs: [
    { resource: configurations },
    {
      resource: nodes,
      keys: (_, { informer }) =>
        (informer(configurations).list() as Configuration[])
          .filter(({ spec }) => spec?.searchBy === "OneNode")
          .map(keyOf),
    },
  ],
  outputs: [configurations, resource("akri.sh/v0", "configurations/status")],
  reconcile,
};
