// Who has which address and port. A claim is a key of the store: only one server can create it, however many
// share the store. An address' claim is its IPAddress object; a port's is not shown to anybody.
//
// Whoever ends between a claim and its Service leaves the claim behind. It is taken over when it is wanted
// and its Service has not come for a while.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { sleep, timestamp } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { familyOf } from "../../lib/ip-range.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { Random } from "../../lib/random.ts";
import { KeyExists, RevisionMismatch } from "../../store/store.ts";
import type { Entry, Store } from "../../store/store.ts";
import { encodeBody, reopenBody } from "../encode.ts";

/** A claim without a Service that is older is nobody's. */
const leftOverMs = 60_000;
/** Between the end of a Service and that of its claims. */
const goingMs = 20;
const patientTries = 50;

export type Claimed = { address: string } | { port: number };

const keyOf = (claimed: Claimed) =>
  "address" in claimed
    ? `ipaddresses.networking.k8s.io/${claimed.address}`
    : `nodeports.kerb/${claimed.port}`;

interface Parent {
  group: string;
  resource: string;
  namespace: string;
  name: string;
}

const parentOf = ({ metadata }: KubeObject | Draft): Parent => ({
  group: "",
  resource: "services",
  namespace: metadata!.namespace!,
  name: metadata!.name!,
});

const ipAddressLabels = (address: string) => ({
  "ipaddress.kubernetes.io/ip-family": familyOf(address),
  "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
});

export class Claims {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor({ store, clock, random }: { store: Store; clock: Clock; random: Random }) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  /** False when it is another's. A patient caller waits for one whose Service is just going. */
  async take(claimed: Claimed, service: KubeObject | Draft, isPatient: boolean): Promise<boolean> {
    const key = keyOf(claimed);
    const body = encodeBody(this.#objectOf(claimed, service));
    for (let tries = isPatient ? patientTries : 1; ; tries--) {
      try {
        await this.#store.create(key, body);
        return true;
      } catch (error) {
        if (!(error instanceof KeyExists)) throw error;
        const holder = await this.#holder(key, error.entry);
        if (holder === "a Service" || (holder === "left" && tries <= 1)) return false;
        if (holder === "left") await sleep(this.#clock, goingMs);
      }
    }
  }

  /** Gives back what is this Service's. */
  async give(claimed: Claimed, service: KubeObject | Draft) {
    const entry = await this.#store.get(keyOf(claimed));
    if (!entry) return;
    const held = parseShared<KubeObject>(entry.value).spec?.parentRef;
    const { namespace, name } = parentOf(service);
    if (held?.namespace === namespace && held.name === name) await this.#remove(entry);
  }

  /** Whose it is. What was left long ago is removed, and then nobody's. */
  async #holder(key: string, found: Entry | undefined): Promise<"a Service" | "left" | "nobody"> {
    const entry = found ?? (await this.#store.get(key));
    if (!entry) return "nobody";
    const { metadata, spec } = parseShared<KubeObject>(entry.value);
    const { namespace, name } = spec?.parentRef ?? {};
    if (await this.#store.get(`services/${namespace}/${name}`)) return "a Service";
    const ageMs = this.#clock.now() - Date.parse(metadata.creationTimestamp ?? "");
    if (!(ageMs > leftOverMs) || metadata.finalizers?.length) return "left";
    await this.#remove(entry);
    return "nobody";
  }

  async #remove(entry: Entry) {
    try {
      await this.#store.delete(entry.key, entry.revision, reopenBody(entry.value));
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof RevisionMismatch)) throw error;
    }
  }

  #objectOf(claimed: Claimed, service: KubeObject | Draft): KubeObject {
    const isAddress = "address" in claimed;
    return {
      apiVersion: isAddress ? "networking.k8s.io/v1" : "kerb/v1",
      kind: isAddress ? "IPAddress" : "NodePort",
      metadata: {
        name: isAddress ? claimed.address : String(claimed.port),
        uid: this.#random.uuid(),
        creationTimestamp: timestamp(this.#clock.now()),
        generation: 1,
        ...(isAddress && { labels: ipAddressLabels(claimed.address) }),
      },
      spec: { parentRef: parentOf(service) },
    } as unknown as KubeObject;
  }
}
