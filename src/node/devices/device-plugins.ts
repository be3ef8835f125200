// Devices for pods, by the kubelet's device plugin API: plugins register on a socket in a well-known folder, tell
// which devices there are, and say what a container needs to use one.
// https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/
import { mkdir, readFile, rm } from "node:fs/promises";
import { writeWhole } from "../whole-file.ts";
import type { DiskWriter } from "../whole-file.ts";
import { basename, join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import type { Cancel, Clock } from "../../lib/clock.ts";
import { grpcError, listenGrpc } from "../../lib/grpc-server.ts";
import type { Log } from "../../lib/log.ts";
import { amountOf } from "../../lib/pod-requests.ts";
import type { Scope } from "../../lib/scope.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { Ending } from "../pods/ending.ts";
import { DevicePlugin } from "./device-plugin.ts";
import type { PluginOptions } from "./device-plugin.ts";
import { DeviceLedger, NoDevices } from "./ledger.ts";
import type { Allocation, Checkpoint, Device } from "./ledger.ts";
import { LocalDevicePlugin } from "./local-plugin.ts";
import type { LocalPlugins, LocalPluginsNode } from "./local-plugins.ts";
import type { PluginHandler } from "./plugin-watcher.ts";
import { registration } from "./protocols.ts";

/** A plugin that does not come back within this has taken its devices along. */
const forgetMs = 300_000;
/** A new pod waits so long for the devices of pods whose containers are being stopped. */
const leavingMsMax = 30_000;
const version = "v1beta1";
const extendedName = /^[a-z0-9.-]+\/[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;

export interface DevicePluginsOptions {
  /** `/var/lib/kubelet/device-plugins`: where plugins look for `kubelet.sock`. */
  socketDirectory: string;
  /** Where what was given out is kept. */
  checkpointPath: string;
  disk?: DiskWriter;
  /** The node has more or fewer devices. */
  onChange: () => void;
  localPlugins?: LocalPlugins;
  clock: Clock;
  log: Log;
  scope: Scope;
}

export interface Holder {
  uid: string;
  /** Its containers are being stopped, and nobody but the node knows of it. */
  isLeaving: boolean;
}

interface Registering {
  version: string;
  endpoint: string;
  resource_name: string;
  options?: PluginOptions | null;
}

const noOptions: PluginOptions = {
  pre_start_required: false,
  get_preferred_allocation_available: false,
};

function refuseWrong({ version: asked, endpoint, resource_name: name }: Registering) {
  if (asked !== version) {
    const text = `requested API version ${JSON.stringify(asked)} is not supported by kubelet. Supported version is ${JSON.stringify(version)}`;
    throw grpcError("INVALID_ARGUMENT", text);
  }
  const isReserved = name.startsWith("kubernetes.io/") || name.startsWith("requests.");
  if (isReserved || !extendedName.test(name)) {
    throw grpcError("INVALID_ARGUMENT", `the ResourceName ${JSON.stringify(name)} is invalid`);
  }
  if (endpoint !== basename(endpoint) || endpoint === "") {
    throw grpcError("INVALID_ARGUMENT", `the endpoint ${JSON.stringify(endpoint)} is invalid`);
  }
}

const rejected = (error: unknown): Ending => ({
  reason: "UnexpectedAdmissionError",
  message: `Pod was rejected: Allocate failed due to ${(error as Error).message}, which is unexpected`,
});

async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

export class DevicePlugins {
  readonly ledger: DeviceLedger;
  /** The pods that hold what they got; nothing is taken from anybody until it is set. */
  holders: (() => Holder[]) | undefined;
  readonly #options: DevicePluginsOptions;
  readonly #plugins = new Map<string, DevicePlugin | LocalDevicePlugin>();
  readonly #forgetting = new Map<string, Cancel>();
  /** One pod is served after the other, so that two never choose the same device. */
  #turn: Promise<unknown> = Promise.resolve();
  #released = Promise.withResolvers<void>();

  constructor(options: DevicePluginsOptions, checkpoint?: Checkpoint) {
    this.#options = options;
    this.ledger = new DeviceLedger(checkpoint);
    // Of an earlier run: those that do not come back were taken away meanwhile.
    for (const resource of this.ledger.devices.keys()) {
      this.#forgetLater(resource, () => this.ledger.devices.delete(resource));
    }
  }

  amounts() {
    return this.ledger.amounts();
  }

  /** What a pod asks for that a plugin brings, by container. */
  wants({ resources }: Container): [resource: string, count: number][] {
    const asked = { ...resources?.requests, ...resources?.limits };
    return Object.entries(asked)
      .filter(([name]) => this.ledger.devices.has(name))
      .map(([name, quantity]) => [name, amountOf(name, quantity)] as [string, number])
      .filter(([, count]) => count > 0);
  }

  isAskedBy = ({ spec }: Pod) =>
    [...(spec.initContainers ?? []), ...spec.containers].some((one) => this.wants(one).length > 0);

  /**
   * Gives a new pod its devices, or says why it cannot have them. The API may have forgotten a pod whose
   * containers are being stopped: its devices are waited for, unless `signal` says that the new pod goes too.
   */
  async admit(pod: Pod, signal: AbortSignal): Promise<Ending | undefined> {
    const { clock, scope } = this.#options;
    const until = clock.monotonic() + leavingMsMax;
    const either = AbortSignal.any([signal, scope.signal]);
    for (;;) {
      const released = this.#released.promise;
      const served = this.#turn.then(() => this.#serve(pod));
      this.#turn = served;
      const { refusal, isSoon } = await served;
      const leftMs = until - clock.monotonic();
      if (either.aborted) return undefined;
      if (!isSoon || leftMs <= 0) return refusal;
      const waiting = new AbortController();
      const waited = sleep(clock, leftMs, AbortSignal.any([either, waiting.signal]));
      await Promise.race([released, waited.catch(() => {})]);
      waiting.abort();
    }
  }

  async #serve(pod: Pod): Promise<{ refusal?: Ending; isSoon?: boolean }> {
    const { spec, metadata } = pod;
    try {
      if (this.holders) this.ledger.keep(new Set(this.holders().map(({ uid }) => uid)));
      for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
        for (const [resource, count] of this.wants(container)) {
          await this.#allocate(pod, container.name, resource, count);
        }
      }
      await this.#save();
      return {};
    } catch (error) {
      this.ledger.forget(metadata.uid);
      this.#options.localPlugins?.heldChanged();
      return { refusal: rejected(error), isSoon: error instanceof NoDevices && error.isSoon };
    }
  }

  async #allocate(pod: Pod, container: string, resource: string, count: number) {
    const podUid = pod.metadata.uid;
    const known = this.ledger.of(podUid, container).some((one) => one.resource === resource);
    if (known) return;
    const leaving = (this.holders?.() ?? []).filter(({ isLeaving }) => isLeaving);
    const leavingUids = new Set(leaving.map(({ uid }) => uid));
    const { ids, must } = this.ledger.available(pod, resource, count, leavingUids);
    const plugin = this.#plugins.get(resource);
    if (!plugin) throw new Error(`the device plugin of ${resource} is not registered`);
    const preferred = (await plugin.preferred(ids, must, count)).filter((id) => ids.includes(id));
    const chosen = [...new Set([...must, ...preferred, ...ids])].slice(0, count);
    const grant = await plugin.allocate(chosen);
    this.ledger.allocations.push({ podUid, container, resource, ids: chosen, grant });
  }

  /** The pod's containers have ended. */
  async release(podUid: string) {
    this.ledger.forget(podUid);
    this.#options.localPlugins?.heldChanged();
    this.#released.resolve();
    this.#released = Promise.withResolvers();
    await this.#save();
  }

  /** What a container got; its plugins are told that it starts. */
  async starting(pod: Pod, container: Container): Promise<Allocation[]> {
    const allocations = this.ledger.of(pod.metadata.uid, container.name);
    for (const [resource] of this.wants(container)) {
      if (allocations.some((one) => one.resource === resource)) continue;
      throw new Error(`container ${container.name} has no devices of ${resource}`);
    }
    for (const { resource, ids } of allocations) await this.#plugins.get(resource)?.preStart(ids);
    return allocations;
  }

  async listen() {
    const { socketDirectory, scope } = this.#options;
    const path = join(socketDirectory, "kubelet.sock");
    await mkdir(socketDirectory, { recursive: true });
    await rm(path, { force: true });
    const register = {
      request: "RegisterRequest",
      response: "Empty",
      answer: (asked: Registering) => {
        refuseWrong(asked);
        this.#register(asked);
        return {};
      },
    };
    const listener = await listenGrpc(path, [{ ...registration, methods: { Register: register } }]);
    scope.defer(async () => {
      listener.close();
      for (const cancel of this.#forgetting.values()) cancel();
      for (const plugin of this.#plugins.values()) plugin.close();
      this.#plugins.clear();
      await Promise.all([rm(path, { force: true }), this.#saving.catch(() => {})]);
    });
  }

  /** Plugins may put a socket into the watched folder instead. */
  readonly handler: PluginHandler = {
    added: ({ name, supported_versions: versions }, socketPath) => {
      const asked = versions.includes(version) ? version : versions.join(", ");
      refuseWrong({ version: asked, endpoint: basename(socketPath), resource_name: name });
      const plugin = new DevicePlugin(name, socketPath, noOptions);
      this.#follow(plugin, () => plugin.askOptions());
    },
    removed: ({ name }) => {
      const plugin = this.#plugins.get(name);
      if (plugin) this.#gone(plugin);
    },
  };

  #register({ resource_name: resource, endpoint, options }: Registering) {
    const path = join(this.#options.socketDirectory, endpoint);
    const plugin = new DevicePlugin(resource, path, { ...noOptions, ...options });
    this.#follow(plugin, async () => {});
  }

  /** For what this process brings itself. */
  readonly local: LocalPluginsNode = {
    added: (source) => this.#follow(new LocalDevicePlugin(source), async () => {}),
    removed: ({ resourceName }) => {
      const plugin = this.#plugins.get(resourceName);
      if (!(plugin instanceof LocalDevicePlugin)) return;
      plugin.close();
      this.#plugins.delete(resourceName);
      // It does not come back by itself: nobody need wait for it.
      this.ledger.devices.delete(resourceName);
      this.#changed();
    },
    held: () => {
      if (!this.holders) return undefined;
      const held = new Map<string, string[]>();
      for (const { resource, ids } of this.ledger.allocations) {
        held.set(resource, [...(held.get(resource) ?? []), ...ids]);
      }
      return held;
    },
  };

  #follow(plugin: DevicePlugin | LocalDevicePlugin, prepare: () => Promise<void>) {
    const { resource } = plugin;
    const { log } = this.#options;
    this.#plugins.get(resource)?.close();
    this.#forgetting.get(resource)?.();
    this.#plugins.set(resource, plugin);
    log[plugin instanceof LocalDevicePlugin ? "debug" : "info"]("a device plugin registered", {
      resource,
    });
    const told = (devices: Device[]) => {
      if (this.#plugins.get(resource) !== plugin) return;
      this.ledger.set(resource, devices);
      this.#changed();
    };
    void prepare()
      .then(() => plugin.follow(told))
      .catch((error: unknown) =>
        log.info("a device plugin ended", { resource, error: String(error) }),
      )
      .then(() => this.#gone(plugin));
  }

  #gone(plugin: DevicePlugin | LocalDevicePlugin) {
    const { resource } = plugin;
    plugin.close();
    if (this.#plugins.get(resource) !== plugin) return;
    this.#plugins.delete(resource);
    this.ledger.doubt(resource);
    this.#forgetLater(resource, () => this.ledger.set(resource, []));
    this.#changed();
  }

  #forgetLater(resource: string, forget: () => void) {
    const forgotten = () => {
      forget();
      this.#changed();
    };
    this.#forgetting.set(resource, this.#options.clock.after(forgetMs, forgotten));
  }

  #isTelling = false;

  /** Many most often change together. */
  #changed() {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      const { log, onChange } = this.#options;
      onChange();
      void this.#save().catch((error) =>
        log.warn("the devices given out were not written", { error: String(error) }),
      );
    });
  }

  #saving: Promise<void> = Promise.resolve();
  #saved = "";

  #save(): Promise<void> {
    const write = async () => {
      const text = JSON.stringify(this.ledger.checkpoint());
      if (text === this.#saved) return;
      await writeWhole(this.#options.checkpointPath, text, this.#options.disk);
      this.#saved = text;
    };
    this.#saving = this.#saving.catch(() => {}).then(write);
    return this.#saving;
  }
}

/** Resolves once plugins can register. */
export async function openDevicePlugins(options: DevicePluginsOptions): Promise<DevicePlugins> {
  const plugins = new DevicePlugins(options, await readCheckpoint(options.checkpointPath));
  await plugins.listen();
  return plugins;
}
