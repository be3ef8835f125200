// Addresses and ports of Services, unique within the cluster: chosen before a Service is stored, given back
// when it is gone. Pools in memory, filled from the Services there are, say what is likely free; a claim in the
// store decides.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { addressNumber, canonicalAddress, familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { Random } from "../../lib/random.ts";
import { invalid } from "../../lib/status-error.ts";
import type { FieldError } from "../../lib/status-error.ts";
import type { Entry, Store, StoreEvent } from "../../store/store.ts";
import type { Allocator } from "../core.ts";
import { Claims } from "./claims.ts";
import type { Claimed } from "./claims.ts";
import { chooseFamilies } from "./families.ts";
import { addressRange, cidrsOf, firstPort, isGivenOut, Pool, portRange } from "./ranges.ts";
import type { Ports, Range } from "./ranges.ts";

const defaultCidr = "10.96.0.0/16";
const defaultNodePorts = { first: 30000, last: 32767 };

/** Of a range of addresses: the API's own Service and DNS have low ones. */
const reservedMax = 256;
const reservedPart = 16;

type Service = KubeObject | Draft;

const wantsNodePorts = ({ spec }: Service) =>
  spec?.type === "NodePort" ||
  (spec?.type === "LoadBalancer" && spec?.allocateLoadBalancerNodePorts !== false);

/** In the form in which they are claimed. */
const addressesOf = ({ spec }: Service): string[] =>
  [...((spec?.clusterIPs as string[]) ?? [spec?.clusterIP])]
    .filter((address) => address && address !== "None")
    .map(canonicalAddress);

function nodePortsOf(service: Service | undefined): number[] {
  const { ports = [], healthCheckNodePort } = service?.spec ?? {};
  const all = ports.map((port: any) => port.nodePort);
  return [...all, healthCheckNodePort].filter((port) => typeof port === "number" && port > 0);
}

const refuse = (service: Service, ...errors: FieldError[]) =>
  invalid("Service", "", service.metadata?.name ?? "", errors);

const invalidValue = (service: Service, field: string, value: unknown, why: string) =>
  refuse(service, {
    type: "FieldValueInvalid",
    field,
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
  });

/** One allocation in the making: what it took, so that it can be undone. */
class Taking {
  readonly #claims: Claims;
  readonly #service: Service;
  /** A dry run claims nothing. */
  readonly #dryRun: boolean;
  readonly #taken: [() => void, Claimed][] = [];

  constructor(claims: Claims, service: Service, dryRun: boolean) {
    this.#claims = claims;
    this.#service = service;
    this.#dryRun = dryRun;
  }

  /** False when it is another's. */
  async take<Item>(
    pool: Pool<Item>,
    item: Item,
    claimed: Claimed,
    isPatient: boolean,
  ): Promise<boolean> {
    pool.take(item);
    let isTaken = false;
    try {
      isTaken = this.#dryRun || (await this.#claims.take(claimed, this.#service, isPatient));
    } finally {
      if (!isTaken) pool.free(item);
    }
    if (isTaken) this.#taken.push([() => pool.free(item), claimed]);
    return isTaken;
  }

  undo = async () => {
    for (const [free, claimed] of this.#taken.splice(0)) {
      free();
      if (!this.#dryRun) await this.#claims.give(claimed, this.#service);
    }
  };
}

/** What a Service has of both. */
const claimedBy = (service: Service): Claimed[] => {
  const ports = [...new Set(nodePortsOf(service))].map((port) => ({ port }));
  return [...addressesOf(service).map((address) => ({ address })), ...ports];
};

const sameClaim = (a: Claimed, b: Claimed) => JSON.stringify(a) === JSON.stringify(b);

export interface ServiceAllocationOptions {
  /** One of each of the cluster's families. Used as long as there is no ServiceCIDR. */
  serviceCidrs?: string[];
  nodePorts?: Ports;
}

const servicePrefix = "services/";
const cidrPrefix = "servicecidrs.networking.k8s.io/";

class ServiceAllocator implements Allocator {
  readonly #store: Store;
  readonly #claims: Claims;
  readonly #addresses = new Pool<string>(({ size }) =>
    Math.min(reservedMax, Math.floor((size - 1) / reservedPart)),
  );
  readonly #ports: Pool<number>;
  readonly #options: Required<ServiceAllocationOptions>;
  /** By name; those that are going give nothing out any more. */
  readonly #cidrs = new Map<string, string[]>();
  #filled: Promise<void> | undefined;

  constructor(
    parts: { store: Store; clock: Clock; random: Random },
    { serviceCidrs = [defaultCidr], nodePorts = defaultNodePorts }: ServiceAllocationOptions,
  ) {
    this.#store = parts.store;
    this.#claims = new Claims(parts);
    this.#options = { serviceCidrs, nodePorts };
    this.#ports = new Pool(({ size }) => firstPort(size, serviceCidrs[0] ?? defaultCidr));
  }

  async allocate(service: Service, old: KubeObject | undefined, dryRun: boolean) {
    await (this.#filled ??= this.#fill());
    const taking = new Taking(this.#claims, service, dryRun);
    service["spec"] ??= {};
    try {
      const families = this.#options.serviceCidrs.map(familyOf);
      const errors = chooseFamilies(service["spec"], old?.spec, families);
      if (errors.length > 0) throw refuse(service, ...errors);
      await this.#addressesOf(service, old, taking);
      await this.#nodePortsOf(service, old, taking);
      await this.#healthCheckPort(service, old, taking);
    } catch (error) {
      await taking.undo();
      throw error;
    }
    return taking.undo;
  }

  async release(service: KubeObject) {
    for (const claimed of claimedBy(service)) await this.#claims.give(claimed, service);
  }

  async settle(service: KubeObject, old: KubeObject) {
    const kept = claimedBy(service);
    for (const claimed of claimedBy(old)) {
      if (kept.some((one) => sameClaim(one, claimed))) continue;
      await this.#claims.give(claimed, old);
    }
  }

  /** Reads what is taken, and follows what other servers do. */
  async #fill() {
    this.#store.subscribe(servicePrefix, (events) => events.forEach((one) => this.#follow(one)));
    this.#store.subscribe(cidrPrefix, (events) => events.forEach((one) => this.#followCidr(one)));
    for (const entry of (await this.#store.list(servicePrefix)).entries) this.#hold(entry.value);
    for (const entry of (await this.#store.list(cidrPrefix)).entries) this.#addCidr(entry);
  }

  #hold(value: Uint8Array) {
    for (const claimed of claimedBy(parseShared<KubeObject>(value))) this.#mark(claimed, "take");
  }

  #follow({ type, value, previous }: StoreEvent) {
    const gone = type === "delete" ? value : previous;
    if (gone) {
      for (const claimed of claimedBy(parseShared<KubeObject>(gone))) this.#mark(claimed, "free");
    }
    if (type !== "delete") this.#hold(value);
  }

  #followCidr(event: StoreEvent) {
    if (event.type === "delete") this.#cidrs.delete(event.key);
    else this.#addCidr(event);
  }

  #addCidr({ key, value }: Pick<Entry, "key" | "value">) {
    const object = parseShared<KubeObject>(value);
    if (object.metadata.deletionTimestamp) this.#cidrs.delete(key);
    else this.#cidrs.set(key, cidrsOf(object));
  }

  #mark(claimed: Claimed, verb: "take" | "free") {
    if ("port" in claimed) this.#ports[verb](claimed.port);
    else this.#addresses[verb](claimed.address);
  }

  #ranges(family: IpFamily): string[] {
    const ranges = [...this.#cidrs.values()].flat();
    return (ranges.length > 0 ? ranges : this.#options.serviceCidrs).filter(
      (cidr) => familyOf(cidr) === family,
    );
  }

  async #addressesOf(service: Service, old: KubeObject | undefined, taking: Taking) {
    const spec = service["spec"];
    if (spec.type === "ExternalName" || spec.clusterIP === "None") return;
    const had = old ? addressesOf(old) : [];
    const addresses: string[] = (spec.clusterIPs ??= []);
    for (const [i, family] of (spec.ipFamilies as IpFamily[]).entries()) {
      if (addresses[i] === undefined) addresses[i] = await this.#free(service, family, taking);
      else if (!had.includes(canonicalAddress(addresses[i]))) {
        await this.#chosen(service, addresses[i], taking);
      }
    }
    spec.clusterIP = addresses[0];
  }

  async #free(service: Service, family: IpFamily, taking: Taking): Promise<string> {
    for (const cidr of this.#ranges(family)) {
      const address = await this.#freeIn(addressRange(cidr), taking);
      if (address !== undefined) return address;
    }
    const all = this.#ranges(family).join(", ");
    const why = `failed to allocate IP: range ${all} is full`;
    throw invalidValue(service, "spec.clusterIPs", [], why);
  }

  async #freeIn(range: Range<string>, taking: Taking): Promise<string | undefined> {
    for (let tries = range.size; tries > 0; tries--) {
      const address = this.#addresses.next(range);
      if (address === undefined) break;
      if (await taking.take(this.#addresses, address, { address }, false)) return address;
    }
    return undefined;
  }

  async #chosen(service: Service, said: string, taking: Taking) {
    const why = (text: string) =>
      invalidValue(service, "spec.clusterIPs", [said], `failed to allocate IP ${said}: ${text}`);
    const address = canonicalAddress(said);
    const ranges = this.#ranges(familyOf(address));
    const number = addressNumber(address);
    if (!ranges.some((cidr) => isGivenOut(cidr, address, number))) {
      throw why(
        `the provided IP (${said}) is not in the valid range. The range of valid IPs is ${ranges.join(", ")}`,
      );
    }
    const isFree = !this.#addresses.has(address);
    if (!isFree || !(await taking.take(this.#addresses, address, { address }, true))) {
      throw why("provided IP is already allocated");
    }
  }

  /** The port on which nodes tell load balancers of their own endpoints. */
  async #healthCheckPort(service: Service, old: KubeObject | undefined, taking: Taking) {
    const spec = service["spec"];
    if (spec.type !== "LoadBalancer" || spec.externalTrafficPolicy !== "Local") {
      delete spec.healthCheckNodePort;
      return;
    }
    const before = old?.spec.healthCheckNodePort;
    const port = (spec.healthCheckNodePort ||= before);
    if (port && port === before) return;
    if (!port) {
      spec.healthCheckNodePort = await this.#freePort(service, "spec.healthCheckNodePort", taking);
    } else if (this.#ports.has(port) || !(await taking.take(this.#ports, port, { port }, true))) {
      const why = "provided port is already allocated";
      throw invalidValue(service, "spec.healthCheckNodePort", port, why);
    }
  }

  async #nodePortsOf(service: Service, old: KubeObject | undefined, taking: Taking) {
    const spec = service["spec"];
    const had = new Set(nodePortsOf(old));
    if (!wantsNodePorts(service)) {
      // Ports chosen by hand are refused by validation; those left over from another type are dropped.
      for (const port of spec.ports ?? []) if (had.has(port.nodePort)) delete port.nodePort;
      return;
    }
    const used = new Map<number, string>();
    for (const [i, port] of (spec.ports ?? []).entries()) {
      const before = old?.spec?.ports?.find(
        (one: any) =>
          one.port === port.port && (one.protocol ?? "TCP") === (port.protocol ?? "TCP"),
      );
      if (!port.nodePort && before?.nodePort) port.nodePort = before.nodePort;
      if (port.nodePort) await this.#chosenPort(service, i, { had, used, taking });
      else port.nodePort = await this.#freePort(service, `spec.ports[${i}].nodePort`, taking);
      used.set(port.nodePort, port.protocol ?? "TCP");
    }
  }

  async #chosenPort(
    service: Service,
    i: number,
    { had, used, taking }: { had: Set<number>; used: Map<number, string>; taking: Taking },
  ) {
    const { nodePort, protocol = "TCP" } = service["spec"].ports[i];
    const field = `spec.ports[${i}].nodePort`;
    const { nodePorts } = this.#options;
    const { first, last } = nodePorts;
    if (nodePort < first || nodePort > last) {
      throw invalidValue(
        service,
        field,
        nodePort,
        `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
      );
    }
    // One number may serve two protocols of the same Service.
    if (had.has(nodePort) || (used.has(nodePort) && used.get(nodePort) !== protocol)) return;
    const isFree = !this.#ports.has(nodePort);
    if (!isFree || !(await taking.take(this.#ports, nodePort, { port: nodePort }, true))) {
      throw invalidValue(service, field, nodePort, "provided port is already allocated");
    }
  }

  async #freePort(service: Service, field: string, taking: Taking): Promise<number> {
    const range = portRange(this.#options.nodePorts);
    for (let tries = range.size; tries > 0; tries--) {
      const port = this.#ports.next(range);
      if (port === undefined) break;
      if (await taking.take(this.#ports, port, { port }, false)) return port;
    }
    throw invalidValue(service, field, 0, "failed to allocate a nodePort: range is full");
  }
}

export const serviceAllocator = (
  parts: { store: Store; clock: Clock; random: Random },
  options: ServiceAllocationOptions,
): Allocator => new ServiceAllocator(parts, options);
