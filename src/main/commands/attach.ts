// `kerb attach`: leaves in the running site what its member agent needs to come to a hub, and watches it go.
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { AttachOptions } from "../../cli/attach.ts";
import type { Client } from "../../client/client.ts";
import { httpsClient } from "../../client/https.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { waitFor } from "../../client/wait.ts";
import {
  bootstrapOf,
  credentialsOf,
  kubeconfigOf,
  saveSecret,
  secrets,
} from "../../hub/member/credentials.ts";
import { agentNamespace, bootstrapSecret, hubSecret, standbySecret } from "../../hub/names.ts";
import { systemClock } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import { tokenVariable } from "../config.ts";
import { givenToken, hideToken } from "../given-token.ts";
import { fetchCa } from "../node/node-identity.ts";
import { runningOn } from "../run-file.ts";
import { readSettings } from "../site/site-settings.ts";

const certificateMsMax = 60_000;

/** Of the running site, or of another cluster, which has no name of its own. */
export function clusterOf({
  dataDir,
  kubeconfig,
  name,
}: Pick<AttachOptions, "dataDir" | "kubeconfig" | "name">) {
  if (kubeconfig !== undefined) {
    if (name === undefined) throw new Error("--name is needed: what is the cluster called?");
    return { file: kubeconfig, name };
  }
  const folder = resolve(dataDir);
  runningOn(folder);
  return { file: join(folder, "kubeconfig"), name: name ?? readSettings(folder)!.name };
}

/** How the site introduces itself, as a kubeconfig. */
async function introduction(
  asked: string | undefined,
  { bootstrapKubeconfig, caHash, ...given }: AttachOptions,
) {
  hideToken(given);
  if (bootstrapKubeconfig !== undefined) {
    if (asked ?? given.token ?? given.tokenFile ?? caHash) {
      throw new Error("--bootstrap-kubeconfig says which hub and how; leave the others out");
    }
    const text = readFileSync(bootstrapKubeconfig, "utf8");
    const {
      server,
      ca,
      token: read,
      cert,
      key,
    } = parseKubeconfig(text, dirname(bootstrapKubeconfig));
    if (!read && !(cert && key)) throw new Error(`${bootstrapKubeconfig} names nobody: no token`);
    const base64 = (pem = "") => Buffer.from(pem).toString("base64");
    const user = read
      ? { token: read() }
      : { "client-certificate-data": base64(cert), "client-key-data": base64(key) };
    return { server, kubeconfig: kubeconfigOf({ server, ...(ca && { ca }) }, user) };
  }
  const token = givenToken(given, tokenVariable);
  if (!asked || !token || !caHash) {
    throw new Error("which hub? kerb token create --site prints the whole command there");
  }
  const server = new URL(asked).origin;
  const ca = await fetchCa(new URL(server), caHash);
  return { server, kubeconfig: kubeconfigOf({ server, ca }, { token }) };
}

const secretOf = (site: Client, name: string) =>
  site.get({ ...secrets, namespace: agentNamespace, name }).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
    return undefined;
  });

/** A site that is with its standby hub is told to go elsewhere: it then has none. */
async function dropStandby(site: Client, server: string) {
  const [known, standby] = await Promise.all(
    [hubSecret, standbySecret].map((name) => secretOf(site, name)),
  );
  const at = known && credentialsOf(known)?.connection.server;
  if (!standby || at !== bootstrapOf(standby).connection.server || at === server) return;
  await site.delete({ ...secrets, namespace: agentNamespace, name: standbySecret });
}

const waiting = (name: string) =>
  "It waits for the hub: somebody there must accept it, unless the link is down. At the hub:\n\n" +
  `  kubectl get csr -l open-cluster-management.io/cluster-name=${name}\n` +
  "  kubectl certificate approve NAME\n" +
  `  kubectl patch managedcluster ${name} --type merge -p '{"spec":{"hubAcceptsClient":true}}'\n\n` +
  "The site goes on trying by itself.";

export async function attachSite(asked: string | undefined, options: AttachOptions) {
  const { file, name } = clusterOf(options);
  const { server, kubeconfig } = await introduction(asked, options);
  const site = httpsClient(parseKubeconfig(readFileSync(file, "utf8"), dirname(file)), {
    agent: "kerb",
  });
  const invitation = { kubeconfig, "cluster-name": name };
  try {
    if (options.standby) {
      await saveSecret(site, standbySecret, invitation);
      return console.log(`Should its hub be silent for ten minutes, ${name} goes to ${server}.`);
    }
    await dropStandby(site, server);
    await saveSecret(site, bootstrapSecret, invitation);
    console.log(`Site ${name} introduces itself to ${server} ...`);
    const target = { ...secrets, namespace: agentNamespace, name: hubSecret };
    const known = await waitFor(
      site,
      target,
      (secret) => secret !== undefined && credentialsOf(secret)?.connection.server === server,
      { clock: systemClock, timeoutMs: certificateMsMax },
    ).catch(() => undefined);
    console.log(
      known ? `Attached as ${name}. At the hub: kubectl get managedclusters` : waiting(name),
    );
  } finally {
    site.close();
  }
}
