// The machine's side of a site: the pod network and containerd. Where something is missing, the site runs
// without it and says so.
import { existsSync, mkdirSync } from "node:fs";
import { extname, join } from "node:path";
import { startContainerd } from "../../containers/containerd.ts";
import type { ContainerdPaths } from "../../containers/containerd.ts";
import { addressPlugin, writeNetworkPlugins } from "../../containers/address-plugin.ts";
import { ensurePauseImage } from "../../containers/images.ts";
import { writeHandlerBinary } from "../../containers/handler-binary.ts";
import { writeRegistryHosts } from "../../containers/registry-hosts.ts";
import { shareNamespaceFolder } from "../../containers/network-namespace.ts";
import { stateInMemory } from "../../containers/state-in-memory.ts";
import { superviseContainerd } from "../../containers/supervise.ts";
import { connectContainerd } from "../../containers/runtime.ts";
import type { Clock } from "../../lib/clock.ts";
import { familyOf } from "../../lib/ip-range.ts";
import type { Registries } from "../../lib/registries.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import type { Runtime } from "../../node/runtime.ts";
import { vxlanBytes } from "../../node/network/vxlan.ts";
import { linkMtu, outsideAddress } from "../../node/machine/outside-address.ts";
import { ipv6Facts, ipv6Problem } from "../../node/network/ipv6.ts";
import { cniConflist, cniLeases, openNetwork } from "../../node/network/site-network.ts";
import { memoryStays, programFile } from "../../wasm/bundle.ts";
import { handlers as moduleHandlers } from "../../wasm/handlers.ts";
import { preparingAhead } from "../../containers/preparing-ahead.ts";
import { isRoot } from "../config.ts";
import { cniFolders, findTool } from "../commands/doctor.ts";
import { replaceFile } from "../files.ts";
import { pullingModules } from "../wings/wasm-images.ts";
import { besideProcesses, podNetworkOf } from "../wings/process-pods.ts";
import { familiesOf } from "../site/site-settings.ts";
import type { SiteAddresses } from "../site/site-settings.ts";

export const containerdDirectory = (directory: string) => join(directory, "containerd");

/** Transpiled components of WebAssembly. */
export const componentsDirectory = (directory: string) => join(directory, "wasm/components");

/** Kerb's notes about the machine's QEMU and about each VM. */
export const vmsDirectory = (directory: string) => join(directory, "vms");

export interface Machine {
  runtime?: Runtime;
  /** True when the site's interface and addresses exist. */
  network: boolean;
  /** Why containers do not run, in plain words. */
  shortcoming?: string;
}

interface MachineOptions {
  directory: string;
  addresses: SiteAddresses;
  registries: Registries;
  clock: Clock;
  log: Log;
  scope: Scope;
}

/** What containers need that this machine lacks; undefined when nothing is missing. */
function missing(): string | undefined {
  if (!isRoot) return "Kerb does not run as root, so containers and the pod network are off";
  const tools = ["containerd", "runc", "ctr", "nft", "ip"].filter((tool) => !findTool(tool));
  if (!cniFolders.some((folder) => existsSync(join(folder, "ptp")))) tools.push("CNI plugins");
  if (tools.length === 0) return undefined;
  return `not installed: ${tools.join(", ")}; containers do not run (kerb doctor tells what to do)`;
}

export function containerdPaths(site: string): ContainerdPaths {
  const directory = containerdDirectory(site);
  const runc = findTool("runc")!;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const plugins = cniFolders.find((folder) => existsSync(join(folder, "ptp")))!;
  return {
    binary: findTool("containerd")!,
    runc,
    cniPlugins: writeNetworkPlugins(directory, plugins),
    directory,
    handlers: handlersIn(directory, { site, runc }),
  };
}

/** Bundled, the programs lie beside this file; as sources, in their wings. */
function program(wing: string, name: string, builtExtension = ".js"): string {
  const isBuilt = extname(import.meta.filename) !== ".ts";
  return isBuilt
    ? join(import.meta.dirname, `${name}${builtExtension}`)
    : join(import.meta.dirname, "../..", wing, `${name}.ts`);
}

const prepareModules = program("wasm", "wasm-prepare", ".cjs");
const prepareMachines = program("vms", "vm-prepare");
/** By it bundles of modules, or of machines, are named to whoever waits for them. */
const askPipe = (directory: string, wing: "wasm" | "vm") => join(directory, `${wing}-bundles`);

const noExecInModules = {
  file: programFile,
  why: "exec is not supported in WebAssembly containers: there are no programs in them",
};

const memoryKeptByModules = { file: programFile, why: memoryStays };

function handlersIn(directory: string, { site, runc }: { site: string; runc: string }) {
  const modules = {
    prepare: prepareModules,
    args: [componentsDirectory(site)],
    ask: askPipe(directory, "wasm"),
    noExec: noExecInModules,
    keepsMemory: memoryKeptByModules,
  };
  const all = [
    ...moduleHandlers.map((name) => ({ name, ...modules })),
    {
      ...{ name: "vm", prepare: prepareMachines, args: [vmsDirectory(site)] },
      ask: askPipe(directory, "vm"),
    },
  ];
  return Object.fromEntries(all.map((one) => [one.name, writeHandlerBinary(directory, one, runc)]));
}

/** Machines of a site that has IPv6 may reach each other by it. */
async function tunneledMtu(addresses: SiteAddresses): Promise<number> {
  const outside = (await outsideAddress()) ?? (await outsideAddress("IPv6"));
  const hasIpv6 = familiesOf(addresses).some(({ gateway }) => familyOf(gateway) === "IPv6");
  return (await linkMtu(outside)) - vxlanBytes[hasIpv6 ? "IPv6" : "IPv4"];
}

async function startRuntime({
  directory,
  addresses,
  registries,
  clock,
  log,
  scope,
}: MachineOptions): Promise<Runtime> {
  const paths = { ...containerdPaths(directory), podFamily: familyOf(addresses.podCidr) };
  const conflist = cniConflist({
    name: addresses.bridge,
    podCidrs: familiesOf(addresses).map(({ podCidr }) => podCidr),
    dataDirectory: cniLeases(directory),
    addresses: addressPlugin,
    // What leaves in a tunnel has to fit with its outer headers.
    ...(addresses.podNetwork === "vxlan" && {
      mtu: await tunneledMtu(addresses),
    }),
  });
  replaceFile(join(paths.directory, "net.d/10-kerb.conflist"), JSON.stringify(conflist));
  await shareNamespaceFolder();
  writeRegistryHosts(join(paths.directory, "certs.d"), registries);
  await stateInMemory(paths.directory);
  await startContainerd(paths, clock);
  const runtime = await connectContainerd(paths.directory, log.with({ room: "containers" }));
  scope.defer(() => runtime.close());
  superviseContainerd(paths, { clock, log: log.with({ room: "containers" }), scope });
  await ensurePauseImage(paths.directory, runtime);
  const folders = { containerd: paths.directory, components: componentsDirectory(directory) };
  const modules = askPipe(paths.directory, "wasm");
  preparingAhead(runtime, {
    handlers: moduleHandlers,
    ask: modules,
    program: [prepareModules, "--wait", modules, folders.components],
    scope,
  });
  const machines = askPipe(paths.directory, "vm");
  preparingAhead(runtime, {
    handlers: ["vm"],
    ask: machines,
    program: [prepareMachines, "--wait", machines, vmsDirectory(directory)],
    scope,
  });
  return besideProcesses(pullingModules(runtime, folders, registries), {
    directory,
    components: folders.components,
    machines: vmsDirectory(directory),
    network: podNetworkOf(directory, familyOf(addresses.podCidr)),
    clock,
    log: log.with({ room: "wasm" }),
  });
}

/** Throws when this machine cannot give its pods addresses of all families of the site. */
export function checkFamilies(addresses: SiteAddresses) {
  const wanted = familiesOf(addresses).find(({ podCidr }) => familyOf(podCidr) === "IPv6");
  const problem = wanted && ipv6Problem(ipv6Facts());
  if (!problem) return;
  throw new Error(
    `pods cannot have addresses of ${wanted.podCidr}: ${problem}. ` +
      "A site whose ranges are of IPv4 alone needs none of this",
  );
}

/** Network first, since the server listens on its address; containerd meanwhile. */
export function openMachine(options: MachineOptions): {
  network: Promise<boolean>;
  machine: Promise<Machine>;
} {
  const shortcoming = missing();
  if (shortcoming) {
    return {
      network: Promise.resolve(false),
      machine: Promise.resolve({ network: false, shortcoming }),
    };
  }
  const { addresses } = options;
  const network = openNetwork({
    interface: addresses.bridge,
    families: familiesOf(addresses),
  }).then(
    () => undefined,
    (error: Error) => `the pod network could not be made: ${error.message}`,
  );
  const runtime = startRuntime(options).catch((error: Error) => error);
  const machine = Promise.all([network, runtime]).then(([failure, started]): Machine => {
    if (failure) return { network: false, shortcoming: failure };
    if (started instanceof Error) return { network: true, shortcoming: started.message };
    return { network: true, runtime: started };
  });
  // Whoever stops meanwhile waits for what is being started, and can then take it away.
  options.scope.defer(() => machine.then(() => {}));
  return { network: network.then((failure) => failure === undefined), machine };
}
