// Devices of the machine itself, chosen by udev's rules. It looks again when a node comes or goes in /dev, when
// udev wrote something down, and every ten seconds for what has no node.
import { readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { readDetails, textList } from "../discovery/details.ts";
import { DetailsError } from "../discovery/handler.ts";
import type {
  Device,
  DiscoverRequest,
  DiscoveryHandler,
  HandlerWorld,
} from "../discovery/handler.ts";
import { textOf } from "../discovery/properties.ts";
import { deviceOf, grouped, reached } from "../udev/found.ts";
import type { Wishes } from "../udev/found.ts";
import { chooser } from "../udev/match.ts";
import type { UdevDevice } from "../udev/match.ts";
import { parseRule } from "../udev/rules.ts";
import { UdevSystem } from "../udev/system.ts";
import { watchFolders } from "../../lib/watch-folder.ts";

const permissionsAllowed = ["r", "w", "m", "rw", "rm", "rwm", "wm"];
/** Where nodes lie that are not at the top of /dev. */
const nodeFolders = ["", "bus/usb", "dri", "input", "snd", "serial"];

/** Of a card that a guest can have: bound to `vfio-pci`, which gives it no node of its own, or asked for as such. */
function vfioNodes({ paths }: HandlerWorld, isAsked: boolean) {
  return ({ devpath, driver }: UdevDevice): string[] => {
    if (!isAsked && driver !== "vfio-pci") return [];
    try {
      const group = basename(readlinkSync(join(paths.sys, devpath, "iommu_group")));
      return [join(paths.dev, "vfio", group), join(paths.dev, "vfio/vfio")];
    } catch {
      return [];
    }
  };
}

function wishesOf(
  request: DiscoverRequest,
  world: HandlerWorld,
  chosen: Pick<Wishes, "permissions" | "together">,
): Wishes {
  const resource = textOf(request.properties, "devicePluginResourceName");
  const vfio = textOf(request.properties, "vfioPassthrough")?.trim().toLowerCase() === "true";
  return {
    ...chosen,
    ...(resource !== undefined && { resource }),
    vfioNodes: vfioNodes(world, vfio),
  };
}

function wishedIn(text: string) {
  const details = readDetails(text, ["udevRules", "groupRecursive", "permissions"]);
  if (!details["udevRules"]) {
    throw new DetailsError("discoveryDetails.udevRules: Required value");
  }
  const isChosen = chooser(textList(details, "udevRules").map(parseRule));
  const together = details["groupRecursive"] ?? false;
  if (typeof together !== "boolean") {
    throw new DetailsError("discoveryDetails.groupRecursive: expected true or false");
  }
  const permissions = details["permissions"] ?? "rwm";
  if (typeof permissions !== "string" || !permissionsAllowed.includes(permissions)) {
    const allowed = permissionsAllowed.join(", ");
    throw new DetailsError(`discoveryDetails.permissions: expected one of ${allowed}`);
  }
  return { isChosen, together, permissions };
}

export const udev: DiscoveryHandler = {
  name: "udev",
  shared: false,
  check: wishedIn,
  async *discover(request, world) {
    const { isChosen, together, permissions } = wishedIn(request.details);
    const wishes = wishesOf(request, world, { permissions, together });
    const { paths, clock } = world;
    const look = (): Device[] =>
      grouped(new UdevSystem(paths).devices().filter(isChosen).map(reached), together).map(
        (group) => deviceOf(group, wishes),
      );
    const folders = [
      ...nodeFolders.map((folder) => join(paths.dev, folder)),
      join(paths.udev, "data"),
    ];
    let told: string | undefined;
    for await (const _ of watchFolders(folders, { clock, signal: request.signal })) {
      const found = look();
      const text = JSON.stringify(found);
      if (text !== told) yield found;
      told = text;
    }
  },
};
