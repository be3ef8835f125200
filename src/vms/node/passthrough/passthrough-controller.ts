// Offers the node's pods what `permittedHostDevices` of the KubeVirt object permits and is there: as KubeVirt's
// virt-handler does, by one plugin for each resource. It looks when a node in /dev comes or goes, and every ten seconds.
import { join } from "node:path";
import type { Controller, ControllerContext, Key } from "../../../controllers/runtime.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import { watchFolders } from "../../../lib/watch-folder.ts";
import { kubeVirts } from "../../kinds/resources.ts";
import { machineDevices } from "./machine-devices.ts";
import { offersOf } from "./offer.ts";
import type { OfferedDevice, Withheld } from "./offer.ts";
import { PassthroughPlugin } from "./plugin.ts";
import type { PluginHost } from "./plugin.ts";

/** The one that counts. */
const key: Key = "kubevirt/kubevirt";

/** What is told at most of a machine whose devices nobody gets. */
const toldMax = 20;

export interface PassthroughOptions {
  node: string;
  host: PluginHost;
  paths: { sys: string; dev: string };
}

interface Offered {
  plugin: PassthroughPlugin;
  remove: () => void;
}

const permittedOf = (kubeVirt: KubeObject | undefined) =>
  kubeVirt?.spec?.configuration?.permittedHostDevices;

const nodeObject = (name: string) =>
  ({ apiVersion: "v1", kind: "Node", metadata: { name, uid: name } }) as KubeObject;

export class Passthrough {
  readonly #options: PassthroughOptions;
  readonly #plugins = new Map<string, Offered>();
  #told = new Set<string>();

  constructor(options: PassthroughOptions) {
    this.#options = options;
  }

  get controller(): Controller {
    return {
      name: "host-devices",
      inputs: [{ resource: kubeVirts }],
      outputs: [],
      start: (context) => void this.#watch(context),
      reconcile: async (_, context) => this.#look(context),
    };
  }

  async #watch({ clock, wakeAfter, signal }: ControllerContext) {
    const { dev } = this.#options.paths;
    const folders = ["vfio", "bus/usb"].map((name) => join(dev, name));
    for await (const _ of watchFolders(folders, { clock, signal })) wakeAfter(key, 0);
  }

  #look(context: ControllerContext) {
    const kubeVirt = context.informer(kubeVirts).get("kubevirt", "kubevirt");
    const permitted = permittedOf(kubeVirt);
    if (!permitted && this.#plugins.size === 0) return;
    const { offered, withheld } = offersOf(permitted, machineDevices(this.#options.paths.sys));
    const named = Object.values(permitted ?? {}).flat() as { resourceName: string }[];
    const resources = new Set(named.map(({ resourceName }) => resourceName));
    for (const [resource, devices] of offered) this.#offer(resource, devices);
    for (const [resource, { plugin, remove }] of this.#plugins) {
      if (offered.has(resource)) continue;
      if (resources.has(resource)) plugin.update([]);
      else {
        remove();
        this.#plugins.delete(resource);
      }
    }
    this.#tell(withheld, context);
  }

  #offer(resource: string, devices: OfferedDevice[]) {
    const known = this.#plugins.get(resource);
    if (known) return known.plugin.update(devices);
    const plugin = new PassthroughPlugin(resource);
    plugin.update(devices);
    this.#plugins.set(resource, { plugin, remove: this.#options.host.add(plugin) });
  }

  /** Once for each, until it is otherwise. */
  #tell(withheld: Withheld[], { event }: ControllerContext) {
    const texts = withheld
      .slice(0, toldMax)
      .map(({ resource, device, why }) => `${device} is not offered as ${resource}: ${why}`);
    for (const text of texts.filter((one) => !this.#told.has(one))) {
      event(nodeObject(this.#options.node), "Warning", "HostDeviceWithheld", text);
    }
    this.#told = new Set(texts);
  }
}
