// `kerb detach`: the site forgets its hub. The hub is told when it answers; nothing waits for it.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { DetachOptions } from "../../cli/detach.ts";
import type { Client } from "../../client/client.ts";
import { httpsClient } from "../../client/https.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { waitFor } from "../../client/wait.ts";
import { appliedManifestWorks } from "../../hub/kinds/resources.ts";
import { credentialsOf, secrets } from "../../hub/member/credentials.ts";
import { detached, sayDeparted } from "../../hub/member/departure.ts";
import { agentNamespace, bootstrapSecret, hubSecret, standbySecret } from "../../hub/names.ts";
import { isOurs } from "../../hub/work/applied-work.ts";
import { sleep, systemClock } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import { clusterOf } from "./attach.ts";

const farewellMsMax = 5000;
const removalMsMax = 120_000;

/** Resolves with the hub's address when it was told. */
async function sayGoodbye(site: Client, removesWorks: boolean): Promise<string | undefined> {
  const target = { ...secrets, namespace: agentNamespace, name: hubSecret };
  const credentials = credentialsOf(await site.get(target));
  if (!credentials) return undefined;
  const { connection, cluster } = credentials;
  const hub = httpsClient(connection, { agent: "kerb" });
  try {
    const condition = detached(removesWorks);
    const told = sayDeparted(hub, cluster, { condition, clock: systemClock });
    return await Promise.race([
      told.then(() => connection.server),
      sleep(systemClock, farewellMsMax).then(() => undefined),
    ]);
  } finally {
    hub.close();
  }
}

async function removeWorks(site: Client): Promise<number> {
  const { items } = await site.list(appliedManifestWorks);
  const ours = items.filter(isOurs);
  for (const { metadata } of ours) {
    await site.delete({ ...appliedManifestWorks, name: metadata.name });
  }
  for (const { metadata } of ours) {
    const target = { ...appliedManifestWorks, name: metadata.name };
    await waitFor(site, target, (one) => one === undefined, {
      clock: systemClock,
      timeoutMs: removalMsMax,
    });
  }
  return ours.length;
}

export async function detachSite(options: DetachOptions): Promise<void> {
  const { file } = clusterOf({ name: "site", ...options });
  const site = httpsClient(parseKubeconfig(readFileSync(file, "utf8"), dirname(file)), {
    agent: "kerb",
  });
  try {
    const removes = options.removeWorks === true;
    const told = await sayGoodbye(site, removes).catch(() => undefined);
    let found = 0;
    for (const name of [standbySecret, bootstrapSecret, hubSecret]) {
      const target = { ...secrets, namespace: agentNamespace, name };
      await site.delete(target).then(
        () => found++,
        (error: unknown) => {
          if (!isStatus(error, "NotFound")) throw error;
        },
      );
    }
    if (found === 0) throw new Error("this site is no hub's member");
    if (removes) console.log(`Taken back: what ${await removeWorks(site)} works made.`);
    console.log(told ? `Detached; ${told} knows.` : "Detached; the hub did not answer.");
  } finally {
    site.close();
  }
}
