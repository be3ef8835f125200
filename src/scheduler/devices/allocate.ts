// Which devices a pod's claims get on one node, purely: the first choice that satisfies every request and
// every constraint of all its claims, in the order in which devices are offered, found by backtracking
// (KEP-4381). The search has a budget, so that no claim can hold the scheduler up.
import type { KubeObject } from "../../kinds/object.ts";
import type { NodeSelectorTerm } from "../../lib/node-selector.ts";
import { repelling, untoleratedTaint } from "../../lib/taint.ts";
import type { Device, Offer } from "./pools.ts";

/** Choices that are looked at, for one pod on one node. */
const stepsMax = 100_000;
/** Devices that one claim may have, as in the API. */
const devicesMax = 32;

export interface Selection {
  /** True when the CEL expression holds for the device. Throws an Error when it cannot be evaluated. */
  matches(expression: string, device: Device): boolean;
  deviceClass(name: string): KubeObject | undefined;
}

export interface Allocation {
  devices: { results: object[]; config?: object[] };
  nodeSelector?: { nodeSelectorTerms: NodeSelectorTerm[] };
}

/** No choice of devices satisfies the claims here. */
export class CannotAllocate extends Error {}

interface Need {
  claim: KubeObject;
  /** `request`, or `request/subrequest`. */
  name: string;
  request: any;
  deviceClass: KubeObject;
}

interface Taken {
  need: Need;
  device: Device;
}

/** The ways to satisfy a request, best first. */
function alternativesOf(claim: KubeObject, request: any, selection: Selection): Need[] {
  const subrequests: any[] | undefined = request.firstAvailable;
  const all = subrequests ?? [request.exactly];
  return all.map((one) => {
    const deviceClass = selection.deviceClass(one.deviceClassName);
    const at = `claim ${claim.metadata.name}, request ${request.name}`;
    if (!deviceClass) {
      throw new CannotAllocate(`${at}: device class ${one.deviceClassName} does not exist`);
    }
    const name = subrequests ? `${request.name}/${one.name}` : request.name;
    return { claim, name, request: one, deviceClass };
  });
}

const expressionsOf = (selectors: any[] = []): string[] =>
  selectors.map(({ cel }) => cel?.expression).filter(Boolean);

function suits({ request, deviceClass }: Need, device: Device, selection: Selection): boolean {
  if (untoleratedTaint(device.taints, request.tolerations ?? [], repelling)) return false;
  const expressions = [
    ...expressionsOf(deviceClass.spec?.selectors),
    ...expressionsOf(request.selectors),
  ];
  return expressions.every((expression) => selection.matches(expression, device));
}

/** A constraint over some requests of a claim, or over all. */
const concerns = ({ requests = [] }: { requests?: string[] }, name: string) =>
  requests.length === 0 || requests.includes(name) || requests.includes(name.split("/")[0]!);

const valueOf = (device: Device, attribute: string) => {
  const value = device.attributes.get(attribute);
  return value && JSON.stringify(value);
};

class Search {
  readonly #offer: Offer;
  readonly #devices: Device[];
  readonly #selection: Selection;
  /** Devices that others have or that were chosen on the way. */
  readonly #busy: Set<string>;
  readonly #used: Map<string, number>;
  readonly #needs: Need[][];
  readonly #chosen: Taken[] = [];
  readonly #suitable = new Map<Need, Device[]>();
  #steps = 0;

  constructor(claims: KubeObject[], { offer, devices, busy, selection }: AllocateOptions) {
    this.#offer = offer;
    this.#devices = devices;
    this.#selection = selection;
    this.#busy = new Set(busy);
    this.#used = usedOf(offer, busy);
    this.#needs = claims.flatMap((claim) =>
      claim.spec.devices.requests.map((one: any) => alternativesOf(claim, one, selection)),
    );
  }

  run(): Taken[] | undefined {
    return this.#satisfy(0) ? this.#chosen : undefined;
  }

  #satisfy(at: number): boolean {
    const alternatives = this.#needs[at];
    if (!alternatives) return true;
    return alternatives.some((need) =>
      need.request.allocationMode === "All"
        ? this.#takeAll(need, at)
        : this.#takeSome(need, need.request.count ?? 1, 0, at),
    );
  }

  /** All that suit, or nothing: one that is busy makes the request fail. */
  #takeAll(need: Need, at: number): boolean {
    const all = this.#suitableFor(need);
    const isPartial = all.length === 0 || this.#lacksSlices();
    if (isPartial || all.length > devicesMax) return false;
    const before = this.#chosen.length;
    const isTaken = all.every((device) => this.#take(need, device));
    if (isTaken && this.#satisfy(at + 1)) return true;
    while (this.#chosen.length > before) this.#release();
    return false;
  }

  #takeSome(need: Need, count: number, from: number, at: number): boolean {
    if (count === 0) return this.#satisfy(at + 1);
    const all = this.#suitableFor(need);
    for (let i = from; i + count <= all.length; i++) {
      if ((this.#steps += 1) > stepsMax) {
        throw new CannotAllocate("the search for devices takes too many steps");
      }
      if (!this.#take(need, all[i]!)) continue;
      if (this.#takeSome(need, count - 1, i + 1, at)) return true;
      this.#release();
    }
    return false;
  }

  #suitableFor(need: Need): Device[] {
    let found = this.#suitable.get(need);
    if (!found) {
      found = this.#devices.filter(
        (device) => !this.#isOfPart(device) && suits(need, device, this.#selection),
      );
      this.#suitable.set(need, found);
    }
    return found;
  }

  #isOfPart({ driver, pool }: Device) {
    return this.#offer.incomplete.has(`${driver}/${pool}`);
  }

  #lacksSlices() {
    return this.#devices.some((device) => this.#isOfPart(device));
  }

  #take(need: Need, device: Device): boolean {
    const isWatcher = need.request.adminAccess === true;
    if (!isWatcher && (this.#busy.has(device.id) || !this.#hasCounters(device))) return false;
    if (this.#chosen.some((one) => one.need === need && one.device === device)) return false;
    if (!this.#keepsConstraints(need, device)) return false;
    this.#chosen.push({ need, device });
    if (!isWatcher) this.#occupy(device, 1);
    return true;
  }

  #release() {
    const { need, device } = this.#chosen.pop()!;
    if (need.request.adminAccess !== true) this.#occupy(device, -1);
  }

  #occupy(device: Device, by: 1 | -1) {
    if (by === 1) this.#busy.add(device.id);
    else this.#busy.delete(device.id);
    for (const [counter, amount] of device.consumes) {
      this.#used.set(counter, (this.#used.get(counter) ?? 0) + by * amount);
    }
  }

  #hasCounters({ consumes }: Device): boolean {
    return [...consumes].every(([counter, amount]) => {
      const all = this.#offer.counters.get(counter) ?? 0;
      return (this.#used.get(counter) ?? 0) + amount <= all;
    });
  }

  #keepsConstraints(need: Need, device: Device): boolean {
    const { constraints = [] } = need.claim.spec.devices;
    return constraints.every((constraint: any) => {
      if (!concerns(constraint, need.name)) return true;
      const attribute = constraint.matchAttribute ?? constraint.distinctAttribute;
      const value = valueOf(device, attribute);
      if (value === undefined) return false;
      const others = this.#chosen.filter(
        (one) => one.need.claim === need.claim && concerns(constraint, one.need.name),
      );
      const isSame = (one: Taken) => valueOf(one.device, attribute) === value;
      return constraint.matchAttribute ? others.every(isSame) : !others.some(isSame);
    });
  }
}

function usedOf({ devices }: Offer, busy: ReadonlySet<string>): Map<string, number> {
  const used = new Map<string, number>();
  for (const { id, consumes } of devices) {
    if (!busy.has(id)) continue;
    for (const [counter, amount] of consumes) used.set(counter, (used.get(counter) ?? 0) + amount);
  }
  return used;
}

function configOf(claim: KubeObject, taken: Taken[]): object[] {
  const ofClasses = new Map(taken.map(({ need }) => [need.name, need.deviceClass]));
  const fromClasses = [...ofClasses].flatMap(([request, { spec }]) =>
    (spec?.config ?? []).map((one: object) => ({
      ...one,
      source: "FromClass",
      requests: [request],
    })),
  );
  const fromClaim = (claim.spec.devices.config ?? [])
    .filter((one: any) => taken.some(({ need }) => concerns(one, need.name)))
    .map((one: object) => ({ ...one, source: "FromClaim" }));
  return [...fromClasses, ...fromClaim];
}

/** Every node that can use all of the devices: the terms of each device that is not everywhere, ANDed. */
function nodesOf(taken: Taken[]): Pick<Allocation, "nodeSelector"> {
  let terms: NodeSelectorTerm[] | undefined;
  const seen = new Set<string>();
  for (const { device } of taken) {
    const { nodes } = device;
    const text = JSON.stringify(nodes);
    if (!nodes || seen.has(text)) continue;
    seen.add(text);
    terms = (terms ?? [{}]).flatMap((one) =>
      nodes.map((other) => {
        const expressions = [...(one.matchExpressions ?? []), ...(other.matchExpressions ?? [])];
        const fields = [...(one.matchFields ?? []), ...(other.matchFields ?? [])];
        return {
          ...(expressions.length > 0 && { matchExpressions: expressions }),
          ...(fields.length > 0 && { matchFields: fields }),
        };
      }),
    );
  }
  return terms ? { nodeSelector: { nodeSelectorTerms: terms } } : {};
}

function allocationOf(claim: KubeObject, taken: Taken[]): Allocation {
  const results = taken.map(({ need, device }) => ({
    request: need.name,
    driver: device.driver,
    pool: device.pool,
    device: device.name,
    ...(need.request.adminAccess && { adminAccess: true }),
    ...(need.request.tolerations?.length > 0 && { tolerations: need.request.tolerations }),
  }));
  const config = configOf(claim, taken);
  return { devices: { results, ...(config.length > 0 && { config }) }, ...nodesOf(taken) };
}

export interface AllocateOptions {
  offer: Offer;
  /** Those of the offer that this node can use. */
  devices: Device[];
  /** Devices that are somebody's, by id. */
  busy: ReadonlySet<string>;
  selection: Selection;
}

/** Devices for all of `claims`, by uid. Throws CannotAllocate. */
export function allocate(claims: KubeObject[], options: AllocateOptions): Map<string, Allocation> {
  const taken = new Search(claims, options).run();
  if (!taken) throw new CannotAllocate("cannot allocate all claims");
  return new Map(
    claims.map((claim) => {
      const own = taken.filter(({ need }) => need.claim === claim);
      return [claim.metadata.uid, allocationOf(claim, own)];
    }),
  );
}
