// All that brings devices to this node's pods: device plugins, drivers of claims, and files about devices. Who
// brings them finds the node in the kubelet's folder.
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import type { Cpus } from "../cpus/cpus.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { Ending } from "../pods/ending.ts";
import type { ContainerConfig } from "../runtime.ts";
import { withCdiDevices } from "./cdi.ts";
import { PreparedClaims } from "./claims.ts";
import { openDevicePlugins } from "./device-plugins.ts";
import type { DevicePlugins } from "./device-plugins.ts";
import { withGrants } from "./grant.ts";
import type { LocalPlugins } from "./local-plugins.ts";
import { watchPlugins } from "./plugin-watcher.ts";
import type { PluginHandler } from "./plugin-watcher.ts";
import { servePodResources } from "./pod-resources.ts";
import { SliceCleanup } from "./slice-cleanup.ts";

export interface DevicesOptions {
  client: Client;
  nodeName: string;
  /** `/var/lib/kubelet`. */
  kubeletDirectory: string;
  /** Of the site: where what was given out is kept. */
  directory: string;
  /** The node has more or fewer devices. */
  onChange: () => void;
  /** What this process brings itself. */
  localPlugins?: LocalPlugins;
  /** Told of drivers of volumes. */
  csi?: PluginHandler | undefined;
  clock: Clock;
  log: Log;
  scope: Scope;
}

/** A pod whose containers may run. */
export interface HoldingPod {
  pod: Pod;
  /** Its containers are being stopped, and the API counts it no more. */
  isLeaving: boolean;
}

export interface FollowOptions {
  /** Those whose containers may run. */
  holders: () => HoldingPod[];
  /** Those that waited for a driver may be tried again. */
  onDriver: () => void;
  /** What pods have may have fallen ill, or recovered. */
  onHealth: () => void;
  cpus: Pick<Cpus, "own" | "lendable">;
}

export class Devices {
  readonly #plugins: DevicePlugins;
  readonly #claims: PreparedClaims;
  readonly #options: DevicesOptions;

  constructor(options: DevicesOptions, plugins: DevicePlugins, claims: PreparedClaims) {
    this.#options = options;
    this.#plugins = plugins;
    this.#claims = claims;
  }

  /** What plugins add to the node. */
  amounts = () => this.#plugins.amounts();

  /** How what a container has is. */
  healthOf = (pod: Pod, container: Container) => [
    ...this.#plugins.ledger.healthOf(pod.metadata.uid, container.name),
    ...this.#claims.healthOf(pod, container),
  ];

  /** Told when devices came, went, or fell ill. */
  onHealth = () => {};

  isAskedBy = (pod: Pod) => this.#plugins.isAskedBy(pod);

  admit = (pod: Pod, signal: AbortSignal): Promise<Ending | undefined> =>
    this.#plugins.admit(pod, signal);

  /** Before a pod's first container. Throws NotPrepared. */
  prepare = (pod: Pod) => this.#claims.prepare(pod);

  /** The container with its devices; throws when it lacks some. */
  async configure(config: ContainerConfig, pod: Pod, container: Container) {
    this.#claims.require(pod, container);
    const granted = await this.#plugins.starting(pod, container);
    const grants = granted.map(({ grant }) => grant);
    const claimed = this.#claims.of(pod, container).flatMap(({ devices }) => devices);
    return withCdiDevices(withGrants(config, grants), [
      ...grants.flatMap((grant) => grant.cdi_devices.map(({ name }) => name)),
      ...claimed.flatMap((one) => one.cdi_device_ids),
    ]);
  }

  /** The pod's containers have ended for good. */
  async release(podUid: string) {
    await this.#plugins.release(podUid);
    await this.#claims.unprepare(podUid);
  }

  /** Called once the pods are all known. */
  async follow({ holders, onDriver, onHealth, cpus }: FollowOptions) {
    this.#claims.onDriver = onDriver;
    this.onHealth = onHealth;
    this.#claims.health.onChange = onHealth;
    const uids = () => new Set(holders().map(({ pod }) => pod.metadata.uid));
    this.#plugins.holders = () =>
      holders().map(({ pod, isLeaving }) => ({ uid: pod.metadata.uid, isLeaving }));
    this.#plugins.ledger.keep(uids());
    this.#options.localPlugins?.heldChanged();
    const { kubeletDirectory, log, scope } = this.#options;
    await servePodResources({
      socketDirectory: join(kubeletDirectory, "pod-resources"),
      ledger: this.#plugins.ledger,
      claims: this.#claims,
      cpus,
      pods: () => holders().map(({ pod }) => pod),
      scope,
    });
    this.#claims.retain(uids()).catch((error) => {
      log.warn("devices of pods that are gone were not given back", { error: String(error) });
    });
  }
}

/** Resolves once plugins and drivers can register. */
export async function openDevices(options: DevicesOptions): Promise<Devices> {
  const { client, kubeletDirectory, directory, onChange, localPlugins } = options;
  const { clock, log, scope } = options;
  const claims = await PreparedClaims.open(client, clock, join(directory, "claims.json"));
  scope.defer(() => claims.close());
  const slices = new SliceCleanup(options);
  scope.defer(() => slices.stop());
  let opened: Devices | undefined;
  const plugins = await openDevicePlugins({
    socketDirectory: join(kubeletDirectory, "device-plugins"),
    checkpointPath: join(directory, "devices.json"),
    onChange: () => {
      onChange();
      opened?.onHealth();
    },
    ...(localPlugins && { localPlugins }),
    clock,
    log,
    scope,
  });
  localPlugins?.follow(plugins.local);
  await watchPlugins({
    directory: join(kubeletDirectory, "plugins_registry"),
    handlers: {
      DRAPlugin: slices.behind(claims.handler),
      DevicePlugin: plugins.handler,
      ...(options.csi && { CSIPlugin: options.csi }),
    },
    clock,
    log,
    scope,
  });
  slices.start();
  opened = new Devices(options, plugins, claims);
  return opened;
}
