// A site, assembled: control plane, machine, controllers, scheduler, agent, network. Independent parts start
// side by side; everything started is owned by one scope and stops with it.
import { join } from "node:path";
import type { UpOptions } from "../../cli/up.ts";
import { Informers } from "../../client/informers.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { LocalPlugins } from "../../node/devices/local-plugins.ts";
import { authenticationIn } from "./authentication-file.ts";
import { auditFilesOf } from "./audit-log.ts";
import { defaultPort, isRoot, slotsDirectory } from "../config.ts";
import { openControlPlane } from "./control-plane.ts";
import { keepLogShort } from "../log-file.ts";
import { keepIdleMemorySmall } from "../memory/idle-memory.ts";
import { kubeletDirectoryOf } from "../node/kubelet-directory.ts";
import { startNodes } from "../wings/krustlet.ts";
import type { Agents } from "../wings/krustlet.ts";
import { tellUnsynced } from "./informer-sync.ts";
import { checkFamilies, openMachine } from "../node/machine.ts";
import { registriesOf } from "../node/node-settings.ts";
import type { Machine } from "../node/machine.ts";
import { ingressPorts } from "../node/own-ports.ts";
import { removeRunFile, writeRunFile } from "../run-file.ts";
import { addressesIn } from "./site-addresses.ts";
import { askedRanges } from "./site-ranges.ts";
import { familiesOf, settle } from "./site-settings.ts";
import { plugSwitches } from "./switches.ts";
import type { Switches } from "./switches.ts";
import { startControlOf } from "./acting-control.ts";
import { agentOptions, krustletClient, startNetwork, untilReady } from "./own-node.ts";
import type { SiteParts } from "./site-parts.ts";

export interface Site {
  name: string;
  kubeconfig: string;
  state: string;
  /** What does not work and why, in plain words. */
  shortcomings: string[];
  /** Stops Kerb; containers go on. */
  stop(): Promise<void>;
}

interface StartOptions {
  switches: Switches;
  log: Log;
  progress: (what: string, detail: string) => void;
}

const clock = systemClock;
const random = systemRandom;
const loopback = "127.0.0.1";

const noMachine = {
  network: Promise.resolve(false),
  machine: Promise.resolve<Machine>({ network: false }),
};

export async function startSite(
  options: UpOptions,
  { log, switches, progress }: StartOptions,
): Promise<Site> {
  const directory = options.dataDir;
  const { settings } = settle(directory, {
    defaultPort,
    slots: isRoot ? slotsDirectory : undefined,
    ...(options.name !== undefined && { name: options.name }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.store !== undefined && { store: options.store }),
    ...(options.podNetwork !== undefined && { podNetwork: options.podNetwork }),
    ranges: askedRanges(options),
    ...(options.node !== false && { check: checkFamilies }),
  });
  if (settings.server) {
    throw new Error(`${directory} is a node of ${settings.server}; start it with: kerb join`);
  }
  const scope = new Scope();
  keepIdleMemorySmall(clock, scope);
  keepLogShort(directory, { clock, scope });
  try {
    const audit = auditFilesOf(options);
    const addresses = await addressesIn(options, settings, clock);
    return await assemble(
      { directory, options, switches, settings, addresses, log, scope, ...(audit && { audit }) },
      progress,
    );
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function startVms(
  parts: SiteParts,
  { runtime }: Machine,
  progress: StartOptions["progress"],
): Promise<void> {
  if (!runtime) return;
  const { runVms } = await import("../wings/vms.ts");
  const client = parts.plane.client("system:kubevirt-handler");
  const { nodeParts, settings } = parts;
  const told = await runVms({
    ...{ ...parts, runtime, client, node: settings.name, parts: nodeParts, clock, random },
  });
  progress("vms", told ?? "not on this node: qemu-system-x86 is not installed");
}

async function assemble(
  {
    directory,
    options,
    switches,
    settings,
    addresses,
    log,
    scope,
    audit,
  }: Omit<SiteParts, "plane" | "informers" | "nodeParts" | "localPlugins">,
  progress: StartOptions["progress"],
): Promise<Site> {
  const isNode = options.node !== false;
  const opening = isNode
    ? openMachine({
        directory,
        addresses,
        registries: registriesOf(options),
        clock,
        log,
        scope,
      })
    : noMachine;
  const { listen = [] } = options;
  let agents: Agents = new Map();
  const plane = await openControlPlane({
    directory,
    name: settings.name,
    port: settings.port,
    addresses,
    ownNode: (name) => agents.get(name),
    ...(audit && { audit }),
    ...(settings.store && { store: settings.store }),
    ...(options.authenticationConfig && {
      authentication: authenticationIn(options.authenticationConfig),
    }),
    listen,
    hub: options.hub ?? false,
    clock,
    random,
    log,
    scope,
  });
  plugSwitches(plane.server.plugs, switches, directory);
  progress("store", settings.store ?? join(directory, "store"));
  if (settings.store) progress("cluster", "further servers need this one's server-token");
  const informers = new Informers({ client: plane.client("system:apiserver"), clock, log, scope });
  tellUnsynced(plane, informers);
  const parts: SiteParts = {
    nodeParts: new Map(),
    localPlugins: new LocalPlugins(clock, scope),
    directory,
    options,
    switches,
    settings,
    addresses,
    plane,
    informers,
    log,
    scope,
  };
  if (options.vms) await (await import("../wings/vms.ts")).openVms({ ...parts, clock, random });
  const network = await opening.network;
  await plane.listen([...new Set([loopback, ...(network ? [addresses.gateway] : []), ...listen])]);
  writeRunFile(directory, settings.port, listen);
  scope.defer(() => removeRunFile(directory));
  progress("api server", `https://127.0.0.1:${settings.port}`);
  if (options.devices) (await import("../wings/devices.ts")).admitDevices(parts);
  const control = startControlOf(parts, network).then(() =>
    progress("controllers", "and the scheduler"),
  );
  const net = network
    ? startNetwork(parts).then((gate) => {
        progress(
          "network",
          familiesOf(addresses)
            .map(({ podCidr }) => podCidr)
            .join(", "),
        );
        return gate;
      })
    : undefined;
  // Whoever waits for it below is told; until then a failure is nobody's.
  net?.catch(() => {});
  const machine = await opening.machine;
  if (machine.runtime) progress("containerd", machine.runtime.version);
  if (isNode) {
    parts.kubeletDirectory = await kubeletDirectoryOf(directory, log);
    agents = await startNodes(agentOptions(parts, machine, net), krustletClient(parts));
  }
  await Promise.all([control, net, untilReady(parts, machine)]);
  if (isNode && options.ingress) {
    await (await import("../wings/ingress.ts")).openIngress({ ...parts, clock, random });
    progress("ingress", Object.values(ingressPorts(options)).join(", "));
  }
  if (isNode && options.vms) await startVms(parts, machine, progress);
  if (isNode && options.devices) {
    const { searchDevices } = await import("../wings/devices.ts");
    const client = plane.client("system:akri-agent");
    const { registry } = plane.server;
    const place = { ...parts, host: parts.localPlugins, node: settings.name };
    await searchDevices({ ...place, client, registry, clock, random });
    progress("devices", "akri.sh/v0");
  }
  return {
    name: settings.name,
    kubeconfig: plane.kubeconfig,
    state: machine.runtime ? "Ready" : `running, without ${isNode ? "containers" : "a node"}`,
    shortcomings: machine.shortcoming ? [machine.shortcoming] : [],
    stop: () => scope.close(),
  };
}
