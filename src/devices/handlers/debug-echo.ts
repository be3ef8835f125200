// Devices that exist because the Configuration says so, to try everything else with. While the file
// `debug-echo-availability.txt` says OFFLINE they are away.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { watchFolders } from "../../lib/watch-folder.ts";
import { readDetails, textList } from "../discovery/details.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";

export const availabilityFile = "debug-echo-availability.txt";

const device = (description: string): Device => ({
  id: description,
  properties: { DEBUG_ECHO_DESCRIPTION: description },
  mounts: [],
  nodes: [],
});

function descriptionsIn(details: string): string[] {
  const read = readDetails(details, ["descriptions"]);
  if (!read["descriptions"]) {
    throw new DetailsError("discoveryDetails.descriptions: Required value");
  }
  return [...new Set(textList(read, "descriptions"))];
}

export const debugEcho: DiscoveryHandler = {
  name: "debugEcho",
  shared: true,
  check: descriptionsIn,
  async *discover({ details, signal }, { directory, clock }) {
    const descriptions = descriptionsIn(details);
    const file = join(directory, availabilityFile);
    let shown: boolean | undefined;
    for await (const _ of watchFolders([directory], { clock, signal })) {
      const text = await readFile(file, "utf8").catch(() => "");
      const online = !text.includes("OFFLINE");
      if (online === shown) continue;
      shown = online;
      yield online ? descriptions.map(device) : [];
    }
  },
};
