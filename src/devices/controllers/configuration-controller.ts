// Gives every Configuration the name of its resource, and says in conditions what the nodes' searches came to.
// Names of resources know no namespaces: the first of a name has Akri's domain, another has its namespace in it.
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
import { searchLease } from "../agent/one-node.ts";

const leases = resource("coordination.k8s.io/v1", "leases");

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

type Said = Omit<Condition, "lastTransitionTime">;

const searching = new Set(["Found", "DevicesRefused"]);
const idle = new Set(["Searching", "Standby"]);

/** Pure. */
export function conditionsOf(nodes: NodeSearch[]): Said[] {
  const devices = nodes.reduce((sum, one) => sum + one.devices, 0);
  const troubled = nodes.filter(({ reason }) => !searching.has(reason) && !idle.has(reason));
  const [worst] = troubled;
  const refusing = nodes.filter(({ reason }) => reason === "DevicesRefused");
  const isSearched = nodes.some(({ reason }) => searching.has(reason));
  const count = `${devices} on ${nodes.filter((one) => one.devices > 0).length} nodes`;
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
  return [{ ...said, message: trouble ?? `${nodes.length} nodes look` }, found];
}

async function forget(key: string, { client }: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  const target = { ...leases, namespace, name: searchLease(name) };
  await client.delete(target).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
}

async function reconcile(key: string, context: ControllerContext) {
  const { client, clock, event, informer } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const all = informer(configurations).list() as Configuration[];
  const configuration = informer(configurations).get(name, namespace) as Configuration | undefined;
  if (!configuration) return forget(key, context);
  const { status = {} } = configuration;
  const searched = (status.nodes ?? []).map((one) => one.name);
  await releaseLeft(client, configurations, configuration, searched);
  const resourceName = resourceOf(configuration, all);
  const said = conditionsOf(status.nodes ?? []);
  const conditions = withTimes(status.conditions, said, timestamp(clock.now()));
  if (status.resourceName === resourceName && jsonEqual(status.conditions, conditions)) return;
  const refused = conditions.find(({ reason }) => reason === "DevicesRefused");
  if (refused && refused.message !== conditionOf(configuration, "Found")?.message) {
    event(configuration, "Warning", "DevicesRefused", refused.message!);
  }
  const draft = {
    apiVersion: "akri.sh/v0",
    kind: "Configuration",
    metadata: { name, namespace, uid: configuration.metadata.uid },
    status: { resourceName, conditions },
  };
  const target = { ...configurations, namespace, name, subresource: "status" };
  const options = { fieldManager: "akri-controller", force: true };
  await client.patch(target, "apply", draft, options).catch((error: unknown) => {
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  });
}

export const configurationStatus: Controller = {
  name: "akri-configuration",
  inputs: [{ resource: configurations }],
  outputs: [configurations, resource("akri.sh/v0", "configurations/status")],
  reconcile,
};
