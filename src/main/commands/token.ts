// `kerb token create`: a bootstrap token, and what RBAC must say so that it lets a node in, or a site.
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { CreatedToken, TokenOptions } from "../../cli/token.ts";
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client, Target } from "../../client/client.ts";
import { httpsClient } from "../../client/https.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import type { Draft } from "../../kinds/object.ts";
import { systemClock, timestamp } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import { kubeconfigOf } from "../../hub/member/credentials.ts";
import { anySiteGroup, hubGroup, invitedGroup, siteGroup } from "../../hub/names.ts";
import { caHash, joinGroup, newToken } from "../node/join-token.ts";
import { runningOn } from "../run-file.ts";
import { nodePermissions, rbac, sitePermissions } from "../site/token-permissions.ts";

async function ensure(client: Client, target: Target, object: Draft) {
  await client.create(target, object).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
}

/** The site is accepted by being named. Throws when this is no hub. */
async function acceptSite(client: Client, name: string) {
  const apiVersion = `${hubGroup}/v1`;
  const clusters = resource(apiVersion, "managedclusters");
  const spec = { hubAcceptsClient: true };
  const cluster = { apiVersion, kind: "ManagedCluster", metadata: { name }, spec };
  try {
    await apply(client, clusters, cluster, { fieldManager: "kerb" });
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
    throw new Error(
      "this site is no hub; start it with: kerb up --hub, or on a cluster: kerb run --wings hub",
    );
  }
}

/** In which groups whoever has the token is. */
function groupsOf(site: TokenOptions["site"]): string[] {
  if (site === undefined) return [joinGroup];
  const any = [anySiteGroup, invitedGroup];
  return site === true ? any : [...any, siteGroup(site)];
}

async function makeToken(client: Client, groups: string[], expires: string): Promise<string> {
  const { id, secret } = newToken();
  await client.create({ ...resource("v1", "secrets"), namespace: "kube-system" }, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `bootstrap-token-${id}` },
    type: "bootstrap.kubernetes.io/token",
    stringData: {
      "token-id": id,
      "token-secret": secret,
      expiration: expires,
      "usage-bootstrap-authentication": "true",
      "usage-bootstrap-signing": "true",
      "auth-extra-groups": groups.join(","),
      description: "made by kerb token create",
    },
  } as Draft);
  return `${id}.${secret}`;
}

/** The API server that is asked for a token, and where others reach it. */
function hubOf({ dataDir, kubeconfig }: TokenOptions) {
  if (kubeconfig !== undefined) {
    const connection = parseKubeconfig(readFileSync(kubeconfig, "utf8"), dirname(kubeconfig));
    return { connection, at: connection.server };
  }
  const folder = resolve(dataDir);
  const running = runningOn(folder);
  const connection = parseKubeconfig(readFileSync(join(folder, "kubeconfig"), "utf8"));
  const address = running.listen?.[0] ?? "ADDRESS";
  const at = `https://${address.includes(":") ? `[${address}]` : address}:${running.port}`;
  return { connection, at };
}

export async function createToken(options: TokenOptions): Promise<CreatedToken> {
  const { ttl, site } = options;
  const { connection, at } = hubOf(options);
  const client = httpsClient(connection, { agent: "kerb" });
  try {
    if (typeof site === "string") await acceptSite(client, site);
    for (const [plural, object] of site === undefined ? nodePermissions : sitePermissions) {
      await ensure(client, resource(`${rbac}/v1`, plural), object);
    }
    const expires = timestamp(systemClock.now() + ttl);
    const token = await makeToken(client, groupsOf(site), expires);
    const { ca = "" } = connection;
    const secrets = `--token ${token} --ca-hash ${ca && caHash(ca)}`;
    const name = typeof site === "string" ? ` --name ${site}` : "";
    const command = `kerb ${site === undefined ? "join" : "attach"} ${at} ${secrets}${name}`;
    return { command, kubeconfig: kubeconfigOf({ server: at, ca }, { token }), expires };
  } finally {
    client.close();
  }
}
