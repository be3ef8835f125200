// Backups that the hub keeps: a site that is asked for one says that it waits, and the hub fetches it over the site's
// own tunnel. Fetched anew by a hub that crashed meanwhile.
import type { Controller } from "../../controllers/runtime.ts";
import { timestamp } from "../../lib/clock.ts";
import { siteOperations } from "../kinds/fleet.ts";
import { keepDefault } from "../kinds/operation.ts";
import type { SiteOperation } from "../kinds/site-operation.ts";
import { waitsForHub } from "../member/operations/backup-site.ts";
import { complete, failed } from "../member/operations/host.ts";
import { statusAfter } from "../member/operations/operation-controller.ts";

/** Resolves with what was written where; the older ones beyond `keep` go. */
export type TakeBackup = (site: string, keep: number) => Promise<string>;

const refusal = failed("this hub has no disk of its own to keep backups on");

/** `take` is absent where the hub has no disk. */
export const siteBackup = (take: TakeBackup | undefined): Controller => ({
  name: "site-backup",
  inputs: [{ resource: siteOperations }],
  outputs: [siteOperations],
  async reconcile(key, { client, clock, informer }) {
    const [namespace, name] = key.split("/") as [string, string];
    const operation = informer(siteOperations).get(name, namespace) as SiteOperation | undefined;
    if (!operation || !waitsForHub(operation)) return;
    const keep = operation.spec.backup?.keep ?? keepDefault;
    const progress = take
      ? await take(namespace, keep).then(complete, (error: Error) => failed(error.message))
      : refusal;
    const status = statusAfter(operation.status, progress, timestamp(clock.now()));
    const target = { ...siteOperations, namespace, name, subresource: "status" };
    await client.patch(target, "merge", { status });
  },
});
