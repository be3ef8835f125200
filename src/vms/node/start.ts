// The wing at a node: what of VMs runs here is followed, told of and answered for.
import { join } from "node:path";
import { resource } from "../../client/client.ts";
import type { ControllersOptions } from "../../controllers/runtime.ts";
import { startControllers } from "../../controllers/runtime.ts";
import { timestamp } from "../../lib/clock.ts";
import type { NodeParts } from "../../lib/node-connection.ts";
import { replicasPart, vmsPart } from "../control.ts";
import { VmHandler } from "./handler.ts";
import type { HolderVolumes } from "./hotplug.ts";
import { nodeLabels } from "./labels.ts";
import { vmPart } from "./part.ts";
import { launcherPaths } from "../domain.ts";
import { replicaFile } from "../prepare/prepare-replica.ts";
import { Passthrough } from "./passthrough/passthrough-controller.ts";
import type { PluginHost } from "./passthrough/plugin.ts";
import { replicaPart } from "./replicas.ts";
import type { NodeCapabilities } from "./probe.ts";
import { Streams } from "./streams.ts";

export interface VmNodeOptions extends ControllersOptions {
  node: string;
  parts: NodeParts;
  /** Whether the node gives CPUs away that nobody else uses. */
  dedicatesCpus: boolean;
  /** Kerb's own folder about VMs. */
  directory: string;
  capabilities: NodeCapabilities;
  /** The host's folder of a pod's sockets. */
  run: (podUid: string) => string;
  /** The host's folder of a pod's volume that is a Secret. */
  secret: (podUid: string, volume: string) => string;
  volumes: HolderVolumes;
  /** The folder in which volumes of claims lie. */
  claimVolumes: string;
  /** Takes what this machine has for guests. */
  plugins: PluginHost;
  /** Where the kernel shows its devices. */
  paths: { sys: string; dev: string };
}

const nodes = resource("v1", "nodes");

async function label(options: VmNodeOptions) {
  const { client, node, capabilities, clock, dedicatesCpus } = options;
  const target = { ...nodes, name: node };
  const { metadata } = await client.get(target);
  const labels = nodeLabels({ ...capabilities, dedicatesCpus }, metadata.labels ?? {});
  const annotations = { "kubevirt.io/heartbeat": timestamp(clock.now()) };
  await client.patch(target, "merge", { metadata: { labels, annotations } });
}

export async function startVmNode(options: VmNodeOptions) {
  const { node, parts, directory, capabilities, run, secret, scope } = options;
  const { volumes, claimVolumes, plugins, paths } = options;
  const notes = (podUid: string) => join(directory, podUid);
  const handler = new VmHandler({
    ...{ node, run, secret, notes, volumes, scope },
    accelerator: capabilities.accelerator,
  });
  parts.set(
    vmsPart,
    vmPart(
      { node, find: (uid) => handler.find(uid), all: () => handler.running() },
      { streams: new Streams(), volumes },
    ),
  );
  parts.set(
    replicasPart,
    replicaPart({
      ...{ run, volumes, directory: claimVolumes },
      ...{ inside: launcherPaths.run, file: replicaFile },
    }),
  );
  for (const part of [vmsPart, replicasPart]) scope.defer(() => void parts.delete(part));
  const passthrough = new Passthrough({ node, host: plugins, paths });
  await startControllers([handler.controller, passthrough.controller], options);
  await label(options);
}
