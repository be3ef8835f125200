import { keepDefault } from "../../kinds/operation.ts";
import type { SiteOperation } from "../../kinds/site-operation.ts";
import { complete, notKerb, running } from "./host.ts";
import type { CarryOut } from "./host.ts";

const fetch = "Fetch";
const lookMs = 60_000;

/** Whether the site has said that the hub is to fetch its backup. */
export const waitsForHub = ({ spec, status }: SiteOperation) =>
  spec.type === "Backup" && status?.phase === "Running" && status.step === fetch;

/** A backup on the site's own disk, where the older ones beyond those to keep go; or one that the hub fetches. */
export const backupSite: CarryOut = async ({ spec }, { kerb }) => {
  if (!kerb) return notKerb;
  if (spec.backup?.location === "Hub") return running(fetch, "the hub fetches it", lookMs);
  return complete(await kerb.backup(spec.backup?.keep ?? keepDefault));
};
