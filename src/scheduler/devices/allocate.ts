// Which devices a pod's claims get on one node, purely: the first choice that satisfies every request and
// every constraint of all its claims, in the order in which devices are offered, found by backtracking
// (KEP-4381). The search has a budget, so that no claim can hold the scheduler up.
import type { KubeObject } from "../../kinds/object.ts";
import { repelling, untoleratedTaint } from "../../lib/taint.ts";
import { allocationOf, concerns, isWatcher } from "./allocation.ts";
import type { Allocation, Need, Taken } from "./allocation.ts";
import { amountsFor } from "./capacity.ts";
import type { Amounts, Shares } from "./capacity.ts";
import { qualified } from "./pools.ts";
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

/** No choice of devices satisfies the claims here. */
export class CannotAllocate extends Error {}

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

/** What a request takes of a device; undefined when the device has less than that. */
function amountsOf({ request }: Need, { driver, capacities, isShared }: Device) {
  const requests: Record<string, string> = request.capacity?.requests ?? {};
  const wishes = Object.entries(requests).map(
    ([name, amount]) => [qualified(name, driver), amount] as const,
  );
  // Of a device that nobody shares all is taken.
  if (!isShared && wishes.length === 0) return none;
  return amountsFor(capacities, new Map(wishes));
}

const none: Amounts = new Map();

function suits(need: Need, device: Device, selection: Selection): boolean {
  const { request, deviceClass } = need;
  if (!amountsOf(need, device)) return false;
  if (untoleratedTaint(device.taints, request.tolerations ?? [], repelling)) return false;
  const expressions = [
    ...expressionsOf(deviceClass.spec?.selectors),
    ...expressionsOf(request.selectors),
  ];
  return expressions.every((expression) => selection.matches(expression, device));
}

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
  readonly #shares: Shares;
  readonly #hasShared: boolean;
  readonly #used: Map<string, number>;
  readonly #needs: Need[][];
  readonly #chosen: Taken[] = [];
  readonly #suitable = new Map<Need, Device[]>();
  #steps = 0;

  constructor(claims: KubeObject[], options: AllocateOptions) {
    const { offer, devices, busy, shares, selection } = options;
    this.#offer = offer;
    this.#devices = devices;
    this.#selection = selection;
    this.#busy = new Set(busy);
    this.#shares = shares.copy();
    this.#hasShared = devices.some(({ isShared }) => isShared);
    this.#used = usedOf(offer, new Set([...busy, ...shares.devices()]));
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
    const last = this.#hasShared ? all.length - 1 : all.length - count;
    for (let i = from; i <= last; i++) {
      if ((this.#steps += 1) > stepsMax) {
        throw new CannotAllocate("the search for devices takes too many steps");
      }
      if (!this.#take(need, all[i]!)) continue;
      // One request may have several shares of one device.
      if (this.#takeSome(need, count - 1, all[i]!.isShared ? i : i + 1, at)) return true;
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
    const amounts = amountsOf(need, device)!;
    const isOnce = isWatcher(need) || !device.isShared;
    if (!isWatcher(need) && !this.#isFree(device, amounts)) return false;
    if (isOnce && this.#chosen.some((one) => one.need === need && one.device === device)) {
      return false;
    }
    if (!this.#keepsConstraints(need, device)) return false;
    this.#chosen.push({ need, device, amounts });
    if (!isWatcher(need)) this.#occupy(device, amounts, 1);
    return true;
  }

  #isFree(device: Device, amounts: Amounts): boolean {
    const { id, isShared, capacities } = device;
    if (!isShared) return !this.#busy.has(id) && this.#hasCounters(device);
    const isOpen = this.#shares.has(id) || this.#hasCounters(device);
    return isOpen && this.#shares.hasRoom(id, capacities, amounts);
  }

  #release() {
    const { need, device, amounts } = this.#chosen.pop()!;
    if (!isWatcher(need)) this.#occupy(device, amounts, -1);
  }

  #occupy(device: Device, amounts: Amounts, by: 1 | -1) {
    if (device.isShared) {
      const had = this.#shares.has(device.id);
      this.#shares.change(device.id, amounts, by);
      // Those who share a device take its counters once.
      if (had === this.#shares.has(device.id)) return;
    } else if (by === 1) this.#busy.add(device.id);
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

export interface AllocateOptions {
  offer: Offer;
  /** Those of the offer that this node can use. */
  devices: Device[];
  /** Devices that are somebody's, by id. */
  busy: ReadonlySet<string>;
  /** What is taken of those that several may have. */
  shares: Shares;
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
