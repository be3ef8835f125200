// `kerb up --devices`: leaf devices as Akri has them. Loaded only when asked for.
import { rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Registry } from "prom-client";
import type { Client } from "../../client/client.ts";
import { runCommand } from "../../lib/run-command.ts";
import type { CdiFiles } from "../../devices/dra/driver.ts";
import type { Configuration } from "../../devices/kinds/configuration.ts";
import { ownHandlers } from "../../devices/discovery/own-handlers.ts";
import type { LocalPlugins } from "../../node/devices/local-plugins.ts";
import { startDeviceControllers, startDeviceSearch } from "../../devices/start.ts";
import { configurationErrors } from "../../devices/kinds/validate-configuration.ts";
import { invalid } from "../../lib/status-error.ts";
import { replaceFile } from "../files.ts";
import { usualKubelet } from "../node/kubelet-directory.ts";
import type { ControlPlane } from "../site/control-plane.ts";
import type { ActingParts, ControlParts } from "./acting-parts.ts";

/** What is there is about what runs now, and is gone after a reboot. */
const cdiDirectory = "/var/run/cdi";

/** Where Akri's chart has it. */
export const akriDirectory = "/var/lib/akri";

export const machinePaths = { sys: "/sys", udev: "/run/udev", dev: "/dev", root: "/" };

const cdiFiles: CdiFiles = {
  write: (name, text) => replaceFile(join(cdiDirectory, name), text),
  remove: (name) => rmSync(join(cdiDirectory, name), { force: true }),
};

/** Judges Configurations as Akri's webhook does; in place from the first write on. */
export function admitDevices({ plane }: { plane: ControlPlane }) {
  plane.server.admission.push({
    name: "AkriConfiguration",
    async validate({ kind, object, subresource }) {
      if (kind.group !== "akri.sh" || kind.plural !== "configurations") return;
      if (!object || subresource !== "") return;
      const errors = configurationErrors(object as Configuration, ownHandlers);
      if (errors.length > 0) {
        throw invalid("Configuration", "akri.sh", object.metadata.name, errors);
      }
    },
  });
}

export function controlDevices({ plane, ...parts }: ControlParts) {
  const client = plane.client("system:akri-controller");
  return startDeviceControllers({ ...parts, client, discover: plane.discover });
}

export interface SearchPlace extends ActingParts {
  client: Client;
  node: string;
  /** Of the site. */
  directory: string;
  kubeletDirectory?: string;
  /** The node's own, where it runs in this process; otherwise its kubelet's sockets are used. */
  host?: LocalPlugins;
  registry?: Registry;
}

/** Looks on this machine, for a cluster that has the kinds. */
export async function searchDevices({ directory, log, clock, random, ...place }: SearchPlace) {
  const own = join(directory, "devices");
  await mkdir(own, { recursive: true });
  const room = log.with({ room: "devices" });
  await startDeviceSearch({
    ...place,
    world: { clock, random, log: room, directory: own, paths: machinePaths, run: runCommand },
    cdi: cdiFiles,
    akriDirectory: place.kubeletDirectory === usualKubelet ? akriDirectory : join(own, "akri"),
  });
}
