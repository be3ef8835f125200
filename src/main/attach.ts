// `kerb attach`: leaves in the running site what its member agent needs to come to a hub, and watches it go.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { AttachOptions } from "../cli/attach.ts";
import { httpsClient } from "../client/https.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import { waitFor } from "../client/wait.ts";
import { credentialsOf, kubeconfigOf, saveSecret, secrets } from "../hub/member/credentials.ts";
import { agentNamespace, bootstrapSecret, hubSecret } from "../hub/names.ts";
import { systemClock } from "../lib/clock.ts";
import { fetchCa } from "./node-identity.ts";
import { findRunning } from "./run-file.ts";
import { readSettings } from "./site-settings.ts";

const certificateMsMax = 30_000;

export async function attachSite(asked: string, options: AttachOptions): Promise<void> {
  const folder = resolve(options.dataDir);
  if (!findRunning(folder)) {
    throw new Error(`no site runs on ${folder}; start it with: kerb up --data-dir ${folder}`);
  }
  const server = new URL(asked).origin;
  const cluster = options.name ?? readSettings(folder)!.name;
  const ca = await fetchCa(new URL(server), options.caHash);
  const site = httpsClient(parseKubeconfig(readFileSync(join(folder, "kubeconfig"), "utf8")), {
    agent: "kerb",
  });
  try {
    await saveSecret(site, bootstrapSecret, {
      kubeconfig: kubeconfigOf({ server, ca }, { token: options.token }),
      "cluster-name": cluster,
    });
    console.log(`Site ${cluster} introduces itself to ${server} ...`);
    const target = { ...secrets, namespace: agentNamespace, name: hubSecret };
    const known = await waitFor(
      site,
      target,
      (secret) => secret !== undefined && credentialsOf(secret)?.connection.server === server,
      { clock: systemClock, timeoutMs: certificateMsMax },
    ).catch(() => undefined);
    if (known)
      return console.log(`Attached as ${cluster}. At the hub: kubectl get managedclusters`);
    console.log(
      "It waits for the hub: somebody there must accept it, unless the link is down. At the hub:\n\n" +
        `  kubectl get csr -l open-cluster-management.io/cluster-name=${cluster}\n` +
        "  kubectl certificate approve NAME\n" +
        `  kubectl patch managedcluster ${cluster} --type merge -p '{"spec":{"hubAcceptsClient":true}}'\n\n` +
        "The site goes on trying by itself.",
    );
  } finally {
    site.close();
  }
}
