// Routes to the pods of other nodes, by their nodes' addresses.
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { covers, familyOf } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import type { NodeLink } from "./node-link.ts";

/** A cable that was pulled and is in again is not long without its routes. */
const lookAgainMs = 10_000;

const rangesOf = (node: KubeObject | undefined): string[] =>
  node?.spec?.podCIDRs ?? (node?.spec?.podCIDR ? [node.spec.podCIDR] : []);

/** Where others reach the node, its own family first. */
const addressesOf = ({ status }: KubeObject): string[] =>
  (status?.addresses ?? [])
    .filter(({ type }: { type: string }) => type === "InternalIP")
    .map(({ address }: { address: string }) => address);

/** What the kernel must know, by range of pods. Pure. */
export function routesOf(
  nodes: KubeObject[],
  ownName: string,
  { family, choose }: Pick<NodeLink, "family" | "choose">,
): Map<string, string> {
  const routes = new Map<string, string>();
  // Nodes that share a machine share its range.
  const own = rangesOf(nodes.find(({ metadata }) => metadata.name === ownName));
  for (const node of nodes) {
    if (node.metadata.name === ownName) continue;
    const ranges = rangesOf(node);
    // A node that can be reached from its own machine alone has its address within its own pods.
    const isOutside = (address: string) => !ranges.some((range) => covers(range, address));
    const address = choose(addressesOf(node).filter(isOutside));
    const cidr = ranges.find((range) => familyOf(range) === family);
    if (cidr && address && !own.includes(cidr)) routes.set(cidr, address);
  }
  return routes;
}

export interface NodeRoutesOptions {
  nodes: Informer;
  nodeName: string;
  link: NodeLink;
  clock: Clock;
  log: Log;
  scope: Scope;
}

/** Of one family. Resolves once the routes of now stand. They outlive this process, as the pods do. */
export async function startNodeRoutes(options: NodeRoutesOptions) {
  const { nodes, nodeName, link, clock, log, scope } = options;
  let known = new Map<string, string>();
  const sync = async () => {
    known = (await link.made?.()) ?? known;
    const wanted = routesOf(nodes.list(), nodeName, link);
    for (const [cidr, address] of [...known]) {
      if (wanted.get(cidr) === address) continue;
      await link.remove(cidr, address);
      known.delete(cidr);
    }
    for (const [cidr, address] of wanted) {
      if (known.has(cidr)) continue;
      // One whose link is gone keeps no other from being made.
      const isMade = await link.add(cidr, address).then(() => true, failed);
      if (isMade) known.set(cidr, address);
    }
  };
  const failed = (error: Error) =>
    log.warn("a route to another node was not made", { error: error.message });
  let running = link.open();
  const wake = () => {
    running = running.then(sync).catch(failed);
  };
  await nodes.synced();
  wake();
  await running;
  scope.defer(nodes.subscribe({ onAdd: wake, onUpdate: wake, onDelete: wake }));
  scope.defer(clock.every(lookAgainMs, wake));
  scope.defer(() => running);
}
