// Routes to addresses that moved with their pods (lib/moved-address.ts). At the node that has one now it lies behind
// the address its pod was made with; at all others, behind that node. Where it came from, it is kept from being given
// to another pod. A pod that is left behind may still be closing the connection by which it moved: what its
// successor answers goes to it, by a rule that knows both.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { covers } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import { movedAddress } from "../../lib/moved-address.ts";
import type { Scope } from "../../lib/scope.ts";
import type { NodeLink, RunIp } from "./node-link.ts";
import { routesOf } from "./node-routes.ts";

/** The kernel forgets routes whose interface goes down. */
const lookAgainMs = 10_000;
/** Marks the routes as these, and is the table of those that are left behind. */
export const movedProtocol = "107";
const keeper = "kerb-moved\r\neth0";

export interface MovedRoute {
  /** A pod of this node has it, behind this address. */
  through?: string;
  /** Else the node that has it, and what it is behind there. */
  node?: { cidr: string; address: string };
  from?: string;
  /** The address is of this node's range. */
  isOwn: boolean;
}

interface Known {
  addresses: KubeObject[];
  nodes: KubeObject[];
  nodeName: string;
  podCidr: string;
  link: Pick<NodeLink, "family" | "choose">;
}

/** By address. Pure. */
export function movedRoutes({ addresses, nodes, nodeName, podCidr, link }: Known) {
  const others = [...routesOf(nodes, nodeName, link)];
  const routes = new Map<string, MovedRoute>();
  for (const object of addresses) {
    const moved = movedAddress(object);
    if (!moved) continue;
    const isOwn = covers(podCidr, moved.address);
    const { podCIDR, podCIDRs = [podCIDR] } =
      nodes.find(({ metadata }) => metadata.name === moved.node)?.spec ?? {};
    const other = others.find(([cidr]) => podCIDRs.includes(cidr));
    if (moved.node === nodeName) routes.set(moved.address, { through: moved.through, isOwn });
    else if (other) {
      const [cidr, address] = other;
      routes.set(moved.address, { node: { cidr, address }, from: moved.through, isOwn });
    }
  }
  return routes;
}

export interface MovedRoutesOptions {
  addresses: Informer;
  nodes: Informer;
  nodeName: string;
  podCidr: string;
  /** All pods of the cluster; clusters that share a machine differ in it. */
  clusterCidr: string;
  link: NodeLink;
  /** Where the pod network keeps what it gave away. */
  leases: string;
  run: RunIp;
  /** Lines for `ip -batch`. */
  batch: (lines: string[]) => Promise<unknown>;
  clock: Clock;
  log: Log;
  scope: Scope;
}

class MovedRoutes {
  readonly #options: MovedRoutesOptions;
  readonly #known = new Map<string, string>();

  constructor(options: MovedRoutesOptions) {
    this.#options = options;
  }

  async #standing(): Promise<Set<string>> {
    const { run, clusterCidr } = this.#options;
    const listed = await run("ip", ["-json", "route", "show", "proto", movedProtocol]);
    const all: { dst: string }[] = JSON.parse(String(listed) || "[]");
    return new Set(all.map(({ dst }) => dst).filter((dst) => covers(clusterCidr, dst)));
  }

  /** Those of an earlier process are made anew or go. */
  async find() {
    for (const address of await this.#standing()) this.#known.set(address, "");
  }

  async sync() {
    const { addresses, nodes, nodeName, podCidr, link } = this.#options;
    const all = { addresses: addresses.list(), nodes: nodes.list(), nodeName, podCidr, link };
    const wanted = movedRoutes(all);
    for (const address of [...this.#known.keys()]) {
      if (!wanted.has(address)) await this.#remove(address);
    }
    if (wanted.size === 0) return;
    // Connections wait for those that are new, and whoever looks what stands makes them wait longer.
    for (const [address, route] of wanted) {
      const text = JSON.stringify(route);
      if (this.#known.get(address) === text) continue;
      await this.#take(address, route);
      this.#known.set(address, text);
      if (route.isOwn) await this.#keep(address);
    }
    const standing = await this.#standing();
    for (const [address, route] of wanted) {
      if (!standing.has(address)) await this.#lead(address, route);
    }
  }

  /** What an earlier move left behind goes once the way is there. */
  async #take(address: string, route: MovedRoute) {
    const isKnown = this.#known.has(address);
    const { isLeft } = await this.#lead(address, route);
    if (isKnown && !isLeft) await this.#forgetLeftBehind(address);
  }

  /** In as few calls as there can be: connections wait for it. */
  async #lead(address: string, { through, node, from }: MovedRoute) {
    const { run, link, batch } = this.#options;
    const shown = async (...words: string[]) =>
      JSON.parse(String(await run("ip", ["-json", "route", ...words])) || "[]")[0];
    const route = `route replace ${address}/32`;
    const way = `proto ${movedProtocol}`;
    if (through) {
      const { dev } = await shown("get", through);
      await batch([`${route} via ${through} dev ${dev} onlink ${way}`]);
      return { isLeft: false };
    }
    const towards = `${route} ${link.towards(node!.cidr, node!.address).join(" ")} ${way}`;
    const now = await shown("show", `${address}/32`);
    const isLeft = now?.dev && !now.gateway;
    if (isLeft && this.#known.has(address)) await this.#forgetLeftBehind(address);
    const leaving = [
      `route replace ${address}/32 dev ${now?.dev} table ${movedProtocol}`,
      `rule add from ${from} to ${address} lookup ${movedProtocol}`,
    ];
    await batch([...(isLeft ? leaving : []), towards]);
    return { isLeft };
  }

  async #forgetLeftBehind(address: string) {
    const { run } = this.#options;
    await Promise.all([
      run("ip", ["rule", "delete", "to", address, "lookup", movedProtocol]).catch(() => {}),
      run("ip", ["route", "delete", `${address}/32`, "table", movedProtocol]).catch(() => {}),
    ]);
  }

  async #keep(address: string) {
    await mkdir(this.#options.leases, { recursive: true });
    await writeFile(join(this.#options.leases, address), keeper);
  }

  async #remove(address: string) {
    const { run, leases } = this.#options;
    await run("ip", ["route", "delete", `${address}/32`, "proto", movedProtocol]).catch(() => {});
    await this.#forgetLeftBehind(address);
    const file = join(leases, address);
    if ((await readFile(file, "utf8").catch(() => "")) === keeper) await rm(file, { force: true });
    this.#known.delete(address);
  }
}

/** They outlive this process, as the pods do. */
export function startMovedRoutes(options: MovedRoutesOptions) {
  const { addresses, nodes, clock, log, scope } = options;
  const routes = new MovedRoutes(options);
  let running = routes.find().catch(() => {});
  const wake = () => {
    running = running
      .then(() => routes.sync())
      .catch((error: Error) => {
        log.warn("a route to an address that moved was not made", { error: error.message });
      });
  };
  // A server that does not tell this node of them holds no pod up.
  void Promise.all([addresses.synced(), nodes.synced()]).then(wake, () => {});
  for (const informer of [addresses, nodes]) {
    scope.defer(informer.subscribe({ onAdd: wake, onUpdate: wake, onDelete: wake }));
  }
  scope.defer(clock.every(lookAgainMs, wake));
  scope.defer(() => running);
}
