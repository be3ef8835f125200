// Network namespaces for pods that are not containerd's, with the same plugins and addresses as its own.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { familyOf } from "../lib/ip-range.ts";
import type { IpFamily } from "../lib/ip-range.ts";
import { runCommand } from "../lib/run-command.ts";
import { withAddresses } from "./address-plugin.ts";
import { dialFrom } from "./port-forward.ts";

export interface PodNetworksOptions {
  /** containerd's, in which the network's configuration lies. */
  directory: string;
  /** Folder of the CNI plugins. */
  plugins: string;
  /** Of a pod's addresses the one that is told first. */
  podFamily: IpFamily;
}

interface Plugin {
  type: string;
  [setting: string]: unknown;
}

const folder = "/run/netns";
const toolFolders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function runPlugin(path: string, env: Record<string, string>, settings: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, [], { stdio: ["pipe", "pipe", "ignore"], env });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) return resolve(said);
      let why = said;
      try {
        why = JSON.parse(said).msg;
      } catch {
        // Not every failure is told as it should be.
      }
      reject(new Error(`the network plugin ${path}: ${why || `exit code ${code}`}`));
    });
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify(settings));
  });
}

export class PodNetworks {
  readonly #options: PodNetworksOptions;

  constructor(options: PodNetworksOptions) {
    this.#options = options;
  }

  #conflist(): { name: string; cniVersion: string; plugins: Plugin[] } {
    const file = join(this.#options.directory, "net.d/10-kerb.conflist");
    return JSON.parse(readFileSync(file, "utf8"));
  }

  async #ask(command: "ADD" | "DEL", id: string, podUid: string) {
    const { cniVersion, name, plugins } = this.#conflist();
    const env = {
      PATH: toolFolders,
      CNI_COMMAND: command,
      CNI_CONTAINERID: id,
      CNI_NETNS: join(folder, id),
      CNI_PATH: this.#options.plugins,
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_UID=${podUid}`,
    };
    let result: { ips?: { address: string }[] } | undefined;
    for (const plugin of command === "ADD" ? plugins : plugins.toReversed()) {
      const settings = { cniVersion, name, ...plugin, ...(result && { prevResult: result }) };
      const path = join(this.#options.plugins, plugin.type);
      const CNI_IFNAME = plugin.type === "loopback" ? "lo" : "eth0";
      const said = await runPlugin(path, { ...env, CNI_IFNAME }, settings);
      if (said.trim() !== "") result = JSON.parse(said);
    }
    return result;
  }

  /** An empty namespace, so that something may be started in it while it gets its addresses. */
  async make(id: string): Promise<string> {
    await runCommand("ip", ["netns", "add", id]);
    return join(folder, id);
  }

  /** Gives a namespace its addresses: those that are wished for where they are free. */
  async connect(id: string, pod: { podUid: string; addresses?: string[] }): Promise<string[]> {
    const { directory, podFamily } = this.#options;
    const [result] = await Promise.all([
      withAddresses(directory, pod, () => this.#ask("ADD", id, pod.podUid)),
      runCommand("ip", ["-n", id, "link", "set", "lo", "up"]),
    ]);
    const ips = (result?.ips ?? []).map(({ address }) => address.split("/")[0]!);
    return ips.sort(
      (a, b) => Number(familyOf(b) === podFamily) - Number(familyOf(a) === podFamily),
    );
  }

  /** Idempotent. */
  async remove(id: string): Promise<void> {
    await this.#ask("DEL", id, "");
    await runCommand("ip", ["netns", "delete", id]).catch(() => {});
  }

  dial(netns: string, port: number) {
    return dialFrom(netns, port);
  }
}
