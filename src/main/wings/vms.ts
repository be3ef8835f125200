// `kerb up --vms`: virtual machines as KubeVirt has them. Loaded only when asked for.
import { join } from "node:path";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { startVmApi } from "../../vms/api/publish.ts";
import { ensureVms, startVmControllers } from "../../vms/start.ts";
import { ensureOwnImage } from "../../containers/images.ts";
import { mountSourceOf } from "../../containers/mount-source.ts";
import type { NodeParts } from "../../lib/node-connection.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { LocalPlugins } from "../../node/devices/local-plugins.ts";
import {
  directoriesIn,
  localVolumesDirectory,
  memoryDirectory,
  podDirectory,
} from "../../node/directories.ts";
import type { Runtime } from "../../node/runtime.ts";
import { launcherImage, runVolume } from "../../vms/domain.ts";
import type { HolderVolumes } from "../../vms/node/hotplug.ts";
import { measureMachines } from "../../vms/metrics/machine-metrics.ts";
import { probe } from "../../vms/node/probe.ts";
import { startVmNode } from "../../vms/node/start.ts";
import type { ControlPlane } from "../site/control-plane.ts";
import type { NodeOptions } from "../../cli/node-options.ts";
import { registriesOf } from "../node/node-settings.ts";
import { keptPort } from "../site/kept-port.ts";
import { registryDigest } from "./registry-digest.ts";
import { makeServing } from "../site/serving.ts";
import type { ActingParts } from "./acting-parts.ts";
import { containerdDirectory, vmsDirectory } from "../node/machine.ts";

interface SiteParts extends ActingParts {
  plane: Pick<ControlPlane, "client" | "connect" | "discover" | "pki" | "server">;
  /** Of the site. */
  directory: string;
  settings: { store?: string };
  options: { listen?: string[] } & NodeOptions;
}

const loopback = "127.0.0.1";
const controller = "system:kubevirt-controller";

/** Resolves once the cluster's API has machines, by webhooks and subresources where this process is. */
async function serveVms({ plane, directory, options, clock, random, log, scope }: SiteParts) {
  const { listen = [] } = options;
  const client = plane.client(controller);
  const { pki, connect } = plane;
  await ensureVms(client, clock);
  await startVmApi({
    ...{ client, clock, log: log.with({ room: "vms" }), scope, connect, host: loopback },
    makeServing: makeServing(clock, random),
    port: keptPort(join(vmsDirectory(directory), "api-port")),
    outside: {
      hosts: listen.filter((host) => host !== loopback),
      tls: () => ({ ...pki.serving(), ca: pki.ca() }),
    },
  });
}

/** Before anybody reaches the API, so that nobody finds webhooks where the last process was. */
export async function openVms(site: SiteParts) {
  if (!site.settings.store) await serveVms(site);
}

/** Of several servers the one that acts answers for machines, too. */
export async function controlVms(site: SiteParts) {
  const { plane, informers, clock, random, log, scope } = site;
  const { discover, connect } = plane;
  const client = plane.client(controller);
  if (site.settings.store) await serveVms(site);
  const acting = { client, clock, log: log.with({ room: "vms" }), scope };
  const digestOf = registryDigest(registriesOf(site.options));
  measureMachines(plane.server.registry, informers, scope);
  await startVmControllers({ ...acting, discover, informers, random, connect, digestOf });
}

/** An image of nothing: the handler puts there what its container runs, and no signal but the last ends it. */
const launcher = {
  name: launcherImage,
  files: [{ path: "vm/", type: "directory" as const }],
  entrypoint: ["/qemu"],
  stopSignal: "SIGURG",
};

export interface VmNodeOptions extends ActingParts {
  /** Of the site or node. */
  directory: string;
  node: string;
  client: Client;
  runtime: Runtime;
  parts: NodeParts;
  /** What the node was started with. */
  options: { cpuManagerPolicy?: string };
  localPlugins: LocalPlugins;
}

const pods = resource("v1", "pods");

/** Where the volumes of this node's pods lie, by what the runtime was told of their containers. */
function volumesOf({ directory, node, informers }: VmNodeOptions): HolderVolumes {
  const own = informers.get({ resource: pods, fieldSelector: `spec.nodeName=${node}` });
  return {
    async folder(podUid, volume) {
      const pod = own.list().find(({ metadata }) => metadata.uid === podUid);
      for (const { name, volumeMounts = [] } of pod?.spec.containers ?? []) {
        const mount = volumeMounts.find((one: any) => one.name === volume);
        const status = pod!.status?.containerStatuses?.find((one: any) => one.name === name);
        const id = /containerd:\/\/(\w+)$/.exec(status?.containerID ?? "")?.[1];
        if (!mount || !id) continue;
        const source = await mountSourceOf(containerdDirectory(directory), id, mount.mountPath);
        if (source) return source;
      }
      throw new StatusError("NotFound", `no pod of this node has volume ${volume} mounted`);
    },
  };
}

/** Resolves with what VMs have here, in words; undefined where there is no QEMU. */
export async function runVms(options: VmNodeOptions) {
  const { directory, runtime, clock, log, informers } = options;
  const capabilities = await probe(vmsDirectory(directory), clock);
  if (!capabilities) return undefined;
  await ensureOwnImage(containerdDirectory(directory), runtime, launcher);
  const directories = directoriesIn(directory);
  await startVmNode({
    ...options,
    log: log.with({ room: "vms" }),
    capabilities,
    dedicatesCpus: options.options.cpuManagerPolicy === "static",
    directory: vmsDirectory(directory),
    discover: async () => [],
    run: (uid) => join(podDirectory(directories, uid), "volumes", runVolume),
    secret: (uid, volume) => join(memoryDirectory(directories, uid), volume),
    volumes: volumesOf(options),
    claimVolumes: localVolumesDirectory(directory),
    plugins: options.localPlugins,
    paths: { sys: "/sys", dev: "/dev" },
    informers,
  });
  const { version, why } = capabilities;
  return `QEMU ${version}, ${why ? `emulated: ${why}` : "KVM"}`;
}
