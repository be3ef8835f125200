import { keepDefault } from "../../kinds/operation.ts";
import { complete, notKerb } from "./host.ts";
import type { CarryOut } from "./host.ts";

/** A backup on the site's own disk; the older ones beyond those to keep go. */
export const backupSite: CarryOut = async ({ spec }, { kerb }) =>
  kerb ? complete(await kerb.backup(spec.backup?.keep ?? keepDefault)) : notKerb;
