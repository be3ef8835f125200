// What the scheduler knows of devices: claims, classes and offers from its informers, and allocations of its
// own that it has not seen stored yet.
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { SelectableNode } from "../../lib/node-selector.ts";
import { allocate } from "./allocate.ts";
import { Shares } from "./capacity.ts";
import type { Allocation } from "./allocation.ts";
import { offerOf, usableOn } from "./pools.ts";
import type { Device, Offer } from "./pools.ts";

/** Compiles an expression; throws an Error when it is wrong, and so does what it gives when it fails. */
export type CompileSelector = (expression: string) => (offered: Device["offered"]) => boolean;

/** Expressions that are kept compiled. */
const matchersMax = 1000;

export interface DeviceSources {
  claims: Informer;
  classes: Informer;
  slices: Informer;
  /** CEL, which is loaded by the first pod that claims devices. */
  loadSelector: () => Promise<CompileSelector>;
  /** Told when what was being loaded is there. */
  onReady: () => void;
}

interface Used {
  /** Devices that nobody else may have. */
  busy: Set<string>;
  shares: Shares;
}

function use({ devices }: Allocation, { busy, shares }: Used) {
  for (const result of devices.results as any[]) {
    const { driver, pool, device, adminAccess, shareID, consumedCapacity = {} } = result;
    const id = `${driver}/${pool}/${device}`;
    if (adminAccess === true) continue;
    if (shareID) shares.change(id, new Map(Object.entries<string>(consumedCapacity)), 1);
    else busy.add(id);
  }
}

export class Devices {
  readonly #sources: DeviceSources;
  /** By the claim's uid. */
  readonly #assumed = new Map<string, Allocation>();
  #offer: Offer | undefined;
  readonly #matchers = new Map<string, ReturnType<CompileSelector>>();
  #compile: CompileSelector | undefined;
  #isLoading = false;

  constructor(sources: DeviceSources) {
    this.#sources = sources;
  }

  /** False while CEL is being loaded, which begins now; `onReady` follows. */
  prepare(): boolean {
    if (!this.#isLoading) void this.#load();
    this.#isLoading = true;
    return this.#compile !== undefined;
  }

  async #load() {
    this.#compile = await this.#sources.loadSelector();
    this.#sources.onReady();
  }

  slicesChanged() {
    this.#offer = undefined;
  }

  claim(namespace: string, name: string): KubeObject | undefined {
    return this.#sources.claims.get(name, namespace);
  }

  /** Stored, or chosen by this scheduler a moment ago. */
  allocationOf(claim: KubeObject): Allocation | undefined {
    return claim["status"]?.allocation ?? this.#assumed.get(claim.metadata.uid);
  }

  /** Throws CannotAllocate, or the Error of an expression. */
  allocate(claims: KubeObject[], node: SelectableNode): Map<string, Allocation> {
    const offer = (this.#offer ??= offerOf(this.#sources.slices.list()));
    return allocate(claims, {
      offer,
      devices: usableOn(offer, node),
      ...this.#used(),
      selection: {
        matches: (expression, { offered }) => this.#matcher(expression)(offered),
        deviceClass: (name) => this.#sources.classes.get(name),
      },
    });
  }

  assume(allocations: Map<string, Allocation>) {
    for (const [uid, allocation] of allocations) this.#assumed.set(uid, allocation);
  }

  /** The claim was seen stored, or its allocation did not come true. */
  forget(uid: string) {
    this.#assumed.delete(uid);
  }

  #matcher(expression: string) {
    let matcher = this.#matchers.get(expression);
    if (!matcher) {
      matcher = this.#compile!(expression);
      if (this.#matchers.size >= matchersMax) this.#matchers.clear();
      this.#matchers.set(expression, matcher);
    }
    return matcher;
  }

  #used(): Used {
    const used = { busy: new Set<string>(), shares: new Shares() };
    const stored = new Set<string>();
    for (const { metadata, status } of this.#sources.claims.list()) {
      if (!status?.allocation) continue;
      stored.add(metadata.uid);
      use(status.allocation, used);
    }
    for (const [uid, allocation] of this.#assumed) if (!stored.has(uid)) use(allocation, used);
    return used;
  }
}
