// Claims for devices on this node: their drivers prepare them before a pod starts, and take them back when the
// last pod that uses them has ended (kubelet's DRA manager; DRA plugin API v1). What is prepared is kept on
// disk, so that nothing stays prepared because Kerb was restarted.
import { readFile } from "node:fs/promises";
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { GrpcConnection } from "../../lib/grpc.ts";
import type { GrpcService } from "../../lib/grpc.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Container, Pod } from "../pods/pod.ts";
import { writeWhole } from "../whole-file.ts";
import { ClaimHealth } from "./claim-health.ts";
import type { ResourceHealth } from "./ledger.ts";
import type { PluginHandler, PluginInfo } from "./plugin-watcher.ts";
import { driver as driverApi } from "./protocols.ts";

const resourceClaims = resource("resource.k8s.io/v1", "resourceclaims");
/** As the kubelet: a driver may have to make a device first. */
const prepareMsMax = 45_000;

export interface PreparedDevice {
  driver: string;
  request_names: string[];
  pool_name: string;
  device_name: string;
  cdi_device_ids: string[];
  /** Of a device that several allocations share. */
  share_id?: string;
}

interface ClaimName {
  namespace: string;
  name: string;
  uid: string;
}

interface Prepared {
  claim: ClaimName;
  podUids: string[];
  /** Those that were asked, whether they answered or not. */
  drivers: string[];
  devices: PreparedDevice[];
  /** All of them have answered. */
  isReady: boolean;
}

interface Driver {
  connection: GrpcConnection;
  service: GrpcService;
}

/** A pod's devices are not ready; it waits. */
export class NotPrepared extends Error {}

const because = (error: unknown) => (error instanceof Error ? error.message : String(error));

const statusOf = (pod: Pod, entry: any) =>
  pod.status?.resourceClaimStatuses?.find((one: any) => one.name === entry.name);

/** The claim that an entry of `spec.resourceClaims` means; undefined when none is needed, or is there yet. */
const claimNameOf = (pod: Pod, entry: any): string | undefined =>
  entry.resourceClaimName ?? statusOf(pod, entry)?.resourceClaimName;

/** As `claimNameOf`; throws NotPrepared while the claim is not made. */
function madeClaimOf(pod: Pod, entry: any): string | undefined {
  if (entry.resourceClaimName || statusOf(pod, entry)) return claimNameOf(pod, entry);
  throw new NotPrepared(`resource claim ${entry.name} of the pod is not created yet`);
}

const isAbout = (device: PreparedDevice, request: string | undefined) =>
  !request || device.request_names.some((one) => one === request || one.startsWith(`${request}/`));

async function readPrepared(path: string): Promise<Map<string, Prepared>> {
  const text = await readFile(path, "utf8").catch(() => "[]");
  return new Map((JSON.parse(text) as Prepared[]).map((one) => [one.claim.uid, one]));
}

interface PreparedClaimsOptions {
  client: Client;
  clock: Clock;
  path: string;
  prepared: Map<string, Prepared>;
}

export class PreparedClaims {
  readonly #client: Client;
  readonly #path: string;
  readonly #prepared: Map<string, Prepared>;
  readonly #drivers = new Map<string, Driver>();
  /** One claim after the other, so that none is prepared and taken back at once. */
  #turn: Promise<unknown> = Promise.resolve();

  static async open(client: Client, clock: Clock, path: string) {
    return new PreparedClaims({ client, clock, path, prepared: await readPrepared(path) });
  }

  private constructor({ client, clock, path, prepared }: PreparedClaimsOptions) {
    this.#client = client;
    this.#path = path;
    this.#prepared = prepared;
    this.health = new ClaimHealth(clock);
  }

  readonly health: ClaimHealth;

  /** A driver registered: what waited for it may be tried again. */
  onDriver = () => {};

  /** For the watcher of plugins. */
  readonly handler: PluginHandler = {
    added: ({ name, supported_versions: versions }: PluginInfo, socketPath) => {
      const version = [...driverApi.paths.keys()].find((one) => versions.includes(one));
      if (!version) {
        const known = [...driverApi.paths.keys()].join(" or ");
        throw new Error(`none of the DRA plugin's versions ${versions.join(", ")} is ${known}`);
      }
      this.#drivers.get(name)?.connection.close();
      const connection = new GrpcConnection(`unix://${socketPath}`);
      const path = driverApi.paths.get(version)!;
      const service = connection.service(path, driverApi.types);
      this.#drivers.set(name, { connection, service });
      this.health.follow(name, connection);
      this.onDriver();
    },
    removed: ({ name }) => {
      this.health.forget(name);
      this.#drivers.get(name)?.connection.close();
      this.#drivers.delete(name);
    },
  };

  close() {
    this.health.close();
    for (const { connection } of this.#drivers.values()) connection.close();
  }

  /** Throws NotPrepared. */
  prepare(pod: Pod): Promise<void> {
    if (!pod.spec["resourceClaims"]?.length) return Promise.resolve();
    return this.#inTurn(async () => {
      try {
        for (const entry of pod.spec["resourceClaims"]) {
          const name = madeClaimOf(pod, entry);
          if (name) await this.#prepareOne(pod, name);
        }
      } catch (error) {
        if (error instanceof NotPrepared) throw error;
        throw new NotPrepared(because(error));
      }
    });
  }

  /** The pod's containers have ended. Throws while a driver does not take a device back. */
  unprepare(podUid: string): Promise<void> {
    const isHeld = [...this.#prepared.values()].some(({ podUids }) => podUids.includes(podUid));
    if (!isHeld) return Promise.resolve();
    return this.#inTurn(async () => {
      for (const prepared of this.#prepared.values()) {
        if (!prepared.podUids.includes(podUid)) continue;
        const others = prepared.podUids.filter((uid) => uid !== podUid);
        if (others.length === 0) await this.#takeBack(prepared);
        prepared.podUids = others;
        if (others.length === 0) this.#prepared.delete(prepared.claim.uid);
        await this.#save();
      }
    });
  }

  /** Takes back what pods had that are no more. */
  async retain(podUids: ReadonlySet<string>) {
    const known = [...this.#prepared.values()].flatMap((one) => one.podUids);
    for (const uid of new Set(known)) if (!podUids.has(uid)) await this.unprepare(uid);
  }

  /** Throws NotPrepared for a container whose devices are not ready. */
  require(pod: Pod, { name, resources }: Container) {
    for (const { name: entryName } of ((resources as any)?.claims ?? []) as { name: string }[]) {
      const entry = pod.spec["resourceClaims"]?.find((one: any) => one.name === entryName);
      const claimName = entry && madeClaimOf(pod, entry);
      if (!claimName || this.#find(pod, claimName)?.isReady) continue;
      throw new NotPrepared(`container ${name}: ResourceClaim ${claimName} is not prepared`);
    }
  }

  /** The prepared devices that a container asks for. */
  of(pod: Pod, { resources }: Container): { claim: ClaimName; devices: PreparedDevice[] }[] {
    const asked: { name: string; request?: string }[] = (resources as any)?.claims ?? [];
    return asked.flatMap(({ name, request }) => {
      const entry = pod.spec["resourceClaims"]?.find((one: any) => one.name === name);
      const claimName = entry && claimNameOf(pod, entry);
      const prepared = claimName ? this.#find(pod, claimName) : undefined;
      if (!prepared) return [];
      const devices = prepared.devices.filter((device) => isAbout(device, request));
      return [{ claim: prepared.claim, devices }];
    });
  }

  /** How what a container asks for is, for its status. */
  healthOf(pod: Pod, container: Container): ResourceHealth[] {
    const asked: { name: string; request?: string }[] = (container.resources as any)?.claims ?? [];
    return asked.flatMap((one) => {
      const alone = { ...container, resources: { claims: [one] } } as Container;
      const devices = this.of(pod, alone).flatMap((claim) => claim.devices);
      const told = devices.map((device) => {
        const { driver, pool_name: pool, device_name: name, cdi_device_ids: ids } = device;
        const resourceID = ids[0] ?? `${driver}/${pool}/${name}`;
        return { resourceID, ...this.health.of(driver, pool, name) };
      });
      const resources = [...new Map(told.map((each) => [each.resourceID, each])).values()];
      const name = `claim:${one.name}${one.request ? `/${one.request}` : ""}`;
      return resources.length > 0 ? [{ name, resources }] : [];
    });
  }

  #find({ metadata: { namespace, uid } }: Pod, name: string): Prepared | undefined {
    return [...this.#prepared.values()].find(
      ({ claim, podUids }) =>
        claim.name === name && claim.namespace === namespace && podUids.includes(uid),
    );
  }

  async #prepareOne(pod: Pod, name: string) {
    const { namespace = "", uid: podUid } = pod.metadata;
    const object = await this.#client.get({ ...resourceClaims, namespace, name });
    const { uid } = object.metadata;
    const known = this.#prepared.get(uid);
    if (known?.isReady && known.podUids.includes(podUid)) return;
    const reservedFor: { uid: string }[] = object.status?.reservedFor ?? [];
    if (!object.status?.allocation || !reservedFor.some((one) => one.uid === podUid)) {
      throw new NotPrepared(`ResourceClaim ${name} is not allocated and reserved for the pod`);
    }
    const claim = { namespace, name, uid };
    const prepared = known ?? { claim, podUids: [], drivers: [], devices: [], isReady: false };
    this.#prepared.set(uid, prepared);
    if (!prepared.podUids.includes(podUid)) prepared.podUids.push(podUid);
    if (!prepared.isReady) await this.#ask(prepared, object);
    await this.#save();
  }

  async #ask(prepared: Prepared, { status }: KubeObject) {
    const results: { driver: string }[] = status.allocation.devices?.results ?? [];
    const devices: PreparedDevice[] = [];
    for (const driver of new Set(results.map((one) => one.driver))) {
      this.#serviceOf(driver);
      // Before it is asked: what it began must be taken back, even if its answer is lost.
      if (!prepared.drivers.includes(driver)) prepared.drivers.push(driver);
      await this.#save();
      const answer = await this.#call(driver, "NodePrepareResources", prepared.claim);
      devices.push(...answer.devices.map((one: PreparedDevice) => ({ ...one, driver })));
    }
    prepared.devices = devices;
    prepared.isReady = true;
  }

  async #takeBack({ claim, drivers }: Prepared) {
    for (const driver of drivers) await this.#call(driver, "NodeUnprepareResources", claim);
  }

  async #call(driver: string, method: string, claim: ClaimName): Promise<any> {
    const asked = { claims: [claim] };
    const service = this.#serviceOf(driver);
    const { claims } = await service.call(method, asked, { timeoutMs: prepareMsMax });
    const answer = claims[claim.uid];
    if (!answer)
      throw new NotPrepared(`${method} of ${driver} left out ResourceClaim ${claim.name}`);
    if (!answer.error) return answer;
    throw new NotPrepared(`${method} failed for ResourceClaim ${claim.name}: ${answer.error}`);
  }

  #serviceOf(driver: string): GrpcService {
    const known = this.#drivers.get(driver);
    if (known) return known.service;
    throw new NotPrepared(`DRA driver ${driver} is not registered`);
  }

  async #save() {
    await writeWhole(this.#path, JSON.stringify([...this.#prepared.values()]));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
