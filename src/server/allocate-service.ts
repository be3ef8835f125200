// Addresses and ports of Services, unique within the cluster: chosen before a Service is stored, given
// back when it is gone. What is taken is read from the store once, on the first use.
import type { Draft, KubeObject } from "../kinds/object.ts";
import { parseShared } from "../lib/parse-shared.ts";
import { invalid, type FieldError } from "../lib/status-error.ts";
import type { Store } from "../store/store.ts";
import type { Allocator } from "./core.ts";

const defaultCidr = "10.96.0.0/16";
const defaultNodePorts = { first: 30000, last: 32767 };

const toNumber = (address: string) =>
  address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

const toAddress = (number: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");

const isIpv4 = (text: string) =>
  /^\d+\.\d+\.\d+\.\d+$/.test(text) && text.split(".").every((part) => Number(part) < 256);

/** The range of addresses that may be given out: neither the first nor the last of the network. */
export function addressRange(cidr: string) {
  const [base, bits] = cidr.split("/");
  const size = 2 ** (32 - Number(bits));
  const start = Math.floor(toNumber(base!) / size) * size;
  return { first: start + 1, last: start + size - 2 };
}

/** A set of numbers between two bounds; free ones are found from where the last one was. */
class NumberPool {
  readonly #first: number;
  readonly #last: number;
  readonly #taken = new Set<number>();
  #cursor: number;

  constructor({ first, last }: { first: number; last: number }, start: number) {
    this.#first = first;
    this.#last = last;
    this.#cursor = Math.min(start, last);
  }

  includes = (number: number) => number >= this.#first && number <= this.#last;
  has = (number: number) => this.#taken.has(number);
  take = (number: number) => void this.#taken.add(number);
  free = (number: number) => void this.#taken.delete(number);

  next(): number | undefined {
    const size = this.#last - this.#first + 1;
    for (let i = 0; i < size; i++) {
      const number = this.#first + ((this.#cursor - this.#first + i) % size);
      if (this.#taken.has(number)) continue;
      this.#cursor = number + 1 > this.#last ? this.#first : number + 1;
      this.#taken.add(number);
      return number;
    }
    return undefined;
  }
}

type Service = KubeObject | Draft;

const wantsAddress = ({ spec }: Service) =>
  spec?.type !== "ExternalName" && spec?.clusterIP !== "None";

const wantsNodePorts = ({ spec }: Service) =>
  spec?.type === "NodePort" ||
  (spec?.type === "LoadBalancer" && spec?.allocateLoadBalancerNodePorts !== false);

const addressOf = (service: Service | undefined): string | undefined => {
  const address = service?.spec?.clusterIP;
  return address && address !== "None" ? address : undefined;
};

function nodePortsOf(service: Service | undefined): number[] {
  const { ports = [], healthCheckNodePort } = service?.spec ?? {};
  const all = ports.map((port: any) => port.nodePort);
  return [...all, healthCheckNodePort].filter((port) => typeof port === "number" && port > 0);
}

const refuse = (service: Service, error: FieldError) =>
  invalid("Service", "", service.metadata?.name ?? "", [error]);

const invalidValue = (service: Service, field: string, value: unknown, why: string) =>
  refuse(service, {
    type: "FieldValueInvalid",
    field,
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
  });

/** One allocation in the making: what it took, so that it can be undone. */
class Claim {
  readonly #taken: [NumberPool, number][] = [];

  take(pool: NumberPool, number: number) {
    pool.take(number);
    this.#taken.push([pool, number]);
  }

  next(pool: NumberPool): number | undefined {
    const number = pool.next();
    if (number !== undefined) this.#taken.push([pool, number]);
    return number;
  }

  undo = () => {
    for (const [pool, number] of this.#taken.splice(0)) pool.free(number);
  };
}

/** Families and the list form of the address, as every stored Service has them. */
function fillFamilies(service: Service) {
  const { spec } = service as any;
  if (spec.type === "ExternalName") return;
  spec.ipFamilies ??= ["IPv4"];
  spec.ipFamilyPolicy ??= "SingleStack";
  if (spec.ipFamilyPolicy === "PreferDualStack") spec.ipFamilies = ["IPv4"];
  spec.clusterIPs = [spec.clusterIP];
}

class ServiceAllocator implements Allocator {
  readonly #store: Store;
  readonly #addresses: NumberPool;
  readonly #ports: NumberPool;
  readonly #cidr: string;
  readonly #nodePorts: { first: number; last: number };
  #recovered = false;

  constructor(store: Store, cidr: string, nodePorts: { first: number; last: number }) {
    this.#store = store;
    this.#cidr = cidr;
    this.#nodePorts = nodePorts;
    const range = addressRange(cidr);
    // The low addresses are left to those who choose one by hand (the API's own Service, DNS).
    const reserved = Math.min(256, Math.floor((range.last - range.first) / 16));
    this.#addresses = new NumberPool(range, range.first + reserved);
    this.#ports = new NumberPool(nodePorts, nodePorts.first);
  }

  allocate(service: Service, old: KubeObject | undefined): () => void {
    this.#recover();
    const claim = new Claim();
    service["spec"] ??= {};
    try {
      this.#families(service);
      this.#address(service, old, claim);
      this.#nodePortsOf(service, old, claim);
      fillFamilies(service);
    } catch (error) {
      claim.undo();
      throw error;
    }
    return claim.undo;
  }

  release(service: KubeObject) {
    const address = addressOf(service);
    if (address) this.#addresses.free(toNumber(address));
    for (const port of nodePortsOf(service)) this.#ports.free(port);
  }

  settle(service: KubeObject, old: KubeObject) {
    const address = addressOf(old);
    if (address && address !== addressOf(service)) this.#addresses.free(toNumber(address));
    const kept = new Set(nodePortsOf(service));
    for (const port of nodePortsOf(old)) if (!kept.has(port)) this.#ports.free(port);
  }

  #families(service: Service) {
    const { ipFamilies, ipFamilyPolicy } = service["spec"];
    if (ipFamilyPolicy === "RequireDualStack") {
      throw invalidValue(
        service,
        "spec.ipFamilyPolicy",
        ipFamilyPolicy,
        "this cluster is not configured for dual-stack services",
      );
    }
    if (ipFamilies?.includes("IPv6")) {
      throw invalidValue(service, "spec.ipFamilies[0]", "IPv6", "not configured on this cluster");
    }
  }

  #address(service: Service, old: KubeObject | undefined, claim: Claim) {
    const spec = service["spec"];
    if (spec.type === "ExternalName") {
      delete spec.clusterIP;
      delete spec.clusterIPs;
      return;
    }
    const had = addressOf(old);
    if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0];
    if (!spec.clusterIP && had) spec.clusterIP = had;
    if (!wantsAddress(service)) return;
    if (spec.clusterIP === had && had) return;
    if (had && spec.clusterIP) {
      throw invalidValue(
        service,
        "spec.clusterIPs[0]",
        [spec.clusterIP],
        "may not change once set",
      );
    }
    if (spec.clusterIP) return this.#chosen(service, spec.clusterIP, claim);
    const number = claim.next(this.#addresses);
    if (number === undefined) {
      throw invalidValue(
        service,
        "spec.clusterIPs",
        [],
        `failed to allocate IP: range ${this.#cidr} is full`,
      );
    }
    spec.clusterIP = toAddress(number);
  }

  #chosen(service: Service, address: string, claim: Claim) {
    const why = (text: string) =>
      invalidValue(
        service,
        "spec.clusterIPs",
        [address],
        `failed to allocate IP ${address}: ${text}`,
      );
    if (!isIpv4(address)) {
      throw invalidValue(
        service,
        "spec.clusterIPs[0]",
        address,
        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
      );
    }
    const number = toNumber(address);
    if (!this.#addresses.includes(number)) {
      throw why(
        `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.#cidr}`,
      );
    }
    if (this.#addresses.has(number)) throw why("provided IP is already allocated");
    claim.take(this.#addresses, number);
  }

  #nodePortsOf(service: Service, old: KubeObject | undefined, claim: Claim) {
    const spec = service["spec"];
    const had = new Set(nodePortsOf(old));
    if (!wantsNodePorts(service)) {
      // Ports chosen by hand are refused by validation; those left over from another type are dropped.
      for (const port of spec.ports ?? []) if (had.has(port.nodePort)) delete port.nodePort;
      delete spec.healthCheckNodePort;
      return;
    }
    const used = new Map<number, string>();
    for (const [i, port] of (spec.ports ?? []).entries()) {
      const before = old?.spec?.ports?.find(
        (one: any) =>
          one.port === port.port && (one.protocol ?? "TCP") === (port.protocol ?? "TCP"),
      );
      if (!port.nodePort && before?.nodePort) port.nodePort = before.nodePort;
      if (port.nodePort) this.#chosenPort(service, i, { had, used, claim });
      else port.nodePort = this.#freePort(service, i, claim);
      used.set(port.nodePort, port.protocol ?? "TCP");
    }
  }

  #chosenPort(
    service: Service,
    i: number,
    { had, used, claim }: { had: Set<number>; used: Map<number, string>; claim: Claim },
  ) {
    const { nodePort, protocol = "TCP" } = service["spec"].ports[i];
    const field = `spec.ports[${i}].nodePort`;
    if (!this.#ports.includes(nodePort)) {
      const { first, last } = this.#nodePorts;
      throw invalidValue(
        service,
        field,
        nodePort,
        `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
      );
    }
    // One number may serve two protocols of the same Service.
    if (had.has(nodePort) || (used.has(nodePort) && used.get(nodePort) !== protocol)) return;
    if (this.#ports.has(nodePort)) {
      throw invalidValue(service, field, nodePort, "provided port is already allocated");
    }
    claim.take(this.#ports, nodePort);
  }

  #freePort(service: Service, i: number, claim: Claim): number {
    const port = claim.next(this.#ports);
    if (port !== undefined) return port;
    throw invalidValue(
      service,
      `spec.ports[${i}].nodePort`,
      0,
      "failed to allocate a nodePort: range is full",
    );
  }

  #recover() {
    if (this.#recovered) return;
    const page = this.#store.list("services/");
    if (page instanceof Promise)
      throw new Error("service addresses need `ready` on a remote store");
    this.#fill(page.entries.map((entry) => parseShared<KubeObject>(entry.value)));
  }

  #fill(services: KubeObject[]) {
    for (const service of services) {
      const address = addressOf(service);
      if (address && isIpv4(address)) this.#addresses.take(toNumber(address));
      for (const port of nodePortsOf(service)) this.#ports.take(port);
    }
    this.#recovered = true;
  }

  /** Reads what is taken; must be awaited before the first write when the store is remote. */
  async ready() {
    const { entries } = await this.#store.list("services/");
    this.#fill(entries.map((entry) => parseShared<KubeObject>(entry.value)));
  }
}

export const serviceAllocator = (
  { store }: { store: Store },
  options: { serviceCidr?: string; nodePorts?: { first: number; last: number } },
) =>
  new ServiceAllocator(
    store,
    options.serviceCidr ?? defaultCidr,
    options.nodePorts ?? defaultNodePorts,
  );
