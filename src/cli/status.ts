import { Command } from "commander";
import { examples } from "./examples.ts";
import type { Client } from "../client/client.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { formatTable } from "./table.ts";
import { dataDirOption } from "./up.ts";

/** What is known of a site from outside its API. */
export interface SiteState {
  name: string;
  server: string;
  /** Absent when no Kerb runs on this data. */
  pid?: number;
  residentBytes?: number;
  kubeconfig: string;
  client(): Promise<Client>;
}

const condition = (object: KubeObject, type: string) =>
  object.status?.conditions?.find((c: { type: string }) => c.type === type);

/** Counts by phase, `12 Running, 1 Pending`. */
export function summarizePods(pods: KubeObject[]): string {
  const phases = new Map<string, number>();
  for (const pod of pods) {
    const phase = pod.status?.phase ?? "Pending";
    phases.set(phase, (phases.get(phase) ?? 0) + 1);
  }
  const parts = [...phases].sort().map(([phase, count]) => `${count} ${phase}`);
  return parts.join(", ") || "none";
}

const pressures = ["MemoryPressure", "DiskPressure", "PIDPressure"];

/** A node's name, how it is, and why it is not well: one that is short of something is Ready and takes no pods. */
export function nodeRow(node: KubeObject): string[] {
  const { name } = node.metadata;
  const ready = condition(node, "Ready");
  if (ready?.status !== "True") return [name, "NotReady", ready?.message ?? ""];
  const short = pressures.filter((type) => condition(node, type)?.status === "True");
  const why = short.length > 0 ? "takes no new pods; kerb doctor there says what is short" : "";
  return [name, ["Ready", ...short].join(), why];
}

async function printSite(site: SiteState) {
  const client = await site.client();
  const [nodes, pods] = await Promise.all([
    client.list(resource("v1", "nodes")),
    client.list(resource("v1", "pods")),
  ]);
  const memory = site.residentBytes
    ? `, ${Math.round(site.residentBytes / 2 ** 20)} MiB resident`
    : "";
  console.log(`site        ${site.name}, running (pid ${site.pid}${memory})`);
  console.log(`server      ${site.server}`);
  console.log(`kubeconfig  ${site.kubeconfig}`);
  console.log(`pods        ${summarizePods(pods.items)}\n`);
  console.log(formatTable(["NODE", "STATUS", "MESSAGE"], nodes.items.map(nodeRow)));
}

/** `kerb status`: exit code 0 when the site runs, 3 when it is stopped (as service managers say). */
export function statusCommand(directory: string, find: (directory: string) => Promise<SiteState>) {
  return new Command("status")
    .summary("show this machine's site")
    .description(
      "Shows what runs here: the site, where kubectl finds it, its pods and nodes. Exit code 3: it is stopped.",
    )
    .addOption(dataDirOption(directory))
    .addHelpText(
      "after",
      examples({
        "kerb status": "",
        "kerb status --data-dir /srv/lab": "another site of this machine",
      }),
    )
    .action(async ({ dataDir }: { dataDir: string }) => {
      const site = await find(dataDir);
      if (site.pid !== undefined) return printSite(site);
      console.log(
        `site        ${site.name}, stopped; start it with: kerb up --data-dir ${dataDir}`,
      );
      process.exitCode = 3;
    });
}
