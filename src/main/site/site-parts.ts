// What the parts of a site have in common while it is put together.
import type { UpOptions } from "../../cli/up.ts";
import type { Informers } from "../../client/informers.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeParts } from "../../lib/node-connection.ts";
import type { Scope } from "../../lib/scope.ts";
import type { LocalPlugins } from "../../node/devices/local-plugins.ts";
import type { AuditFiles } from "./audit-log.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { SiteAddresses, SiteSettings } from "./site-settings.ts";
import type { Switches } from "./switches.ts";

export interface SiteParts {
  switches: Switches;
  audit?: AuditFiles;
  options: UpOptions;
  directory: string;
  settings: SiteSettings;
  addresses: SiteAddresses;
  plane: ControlPlane;
  informers: Informers;
  /** What wings answer for at the node. */
  nodeParts: NodeParts;
  /** Where plugins look for the node; absent without one. */
  kubeletDirectory?: string;
  /** Devices that wings bring to the node. */
  localPlugins: LocalPlugins;
  log: Log;
  scope: Scope;
}
