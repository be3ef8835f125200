// `kerb kubeconfig`: the file that lets kubectl in, at a hub with the ways to its sites.
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import type { KubeconfigOptions } from "../../cli/kubeconfig.ts";
import { httpsClient } from "../../client/https.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { managedClusters } from "../../hub/kinds/resources.ts";
import { proxyPath } from "../../hub/reach/protocol.ts";
import { isStatus } from "../../lib/status-error.ts";
import { readIfThere } from "../files.ts";

/** `config` with a cluster and a context for each of `sites`, which have the hub's user and authority. */
export function withSites(config: any, sites: string[]): any {
  const [hub] = config.clusters;
  const { user } = config.contexts[0].context;
  const others = sites.filter((name) => name !== hub.name);
  const clusters = others.map((name) => ({
    name,
    cluster: { ...hub.cluster, server: hub.cluster.server + proxyPath(name) },
  }));
  const contexts = others.map((name) => ({ name, context: { cluster: name, user } }));
  return {
    ...config,
    clusters: [...config.clusters, ...clusters],
    contexts: [...config.contexts, ...contexts],
  };
}

async function sitesOf(text: string): Promise<string[]> {
  const client = httpsClient(parseKubeconfig(text), { agent: "kerb" });
  try {
    const { items } = await client.list(managedClusters);
    return items.map(({ metadata }) => metadata.name);
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
    throw new Error("this site is no hub; start one with: kerb up --hub", { cause: error });
  } finally {
    client.close();
  }
}

export async function kubeconfigText({ dataDir, sites, server }: KubeconfigOptions) {
  const directory = resolve(dataDir);
  const text = readIfThere(join(directory, "kubeconfig"));
  if (!text) {
    throw new Error(
      `no site was started on ${directory}; start it with: kerb up --data-dir ${directory}`,
    );
  }
  const config = parse(text);
  const names = sites ? await sitesOf(text) : [];
  if (server) config.clusters[0].cluster.server = new URL(server).origin;
  return stringify(withSites(config, names), { lineWidth: 0 });
}
