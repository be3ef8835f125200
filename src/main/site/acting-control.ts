// What acts for a site: its controllers, and those of its wings. Servers that share a store take turns.
import { join } from "node:path";
import { startElection } from "../../client/leader-election.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { wakeSleepers } from "../wings/activator.ts";
import { startControl } from "./control.ts";
import { keptPort } from "./kept-port.ts";
import { backupsOf, kerbHost } from "./kerb-host.ts";
import { followHub, ownSite } from "../wings/member.ts";
import { ownPorts } from "../node/own-ports.ts";
import { plugArchives } from "../releases/archives.ts";
import type { SiteParts } from "./site-parts.ts";

const clock = systemClock;
const random = systemRandom;
const loopback = "127.0.0.1";

/** Of several servers one acts; alone, a site acts at once. */
export async function startControlOf(parts: SiteParts, isNetworked: boolean) {
  const { settings, plane, addresses, scope, log } = parts;
  const lead = async (term: Scope) => {
    const own = { ownPorts: ownPorts(settings, parts.options) };
    const acting = { ...parts, ...own, clock, random, scope: term };
    await startControl({ ...acting, autonomy: parts.options.autonomyDuration });
    if (parts.options.devices) await (await import("../wings/devices.ts")).controlDevices(acting);
    if (isNetworked) await wakeSleepers(acting, addresses.gateway);
    if (parts.options.vms) await (await import("../wings/vms.ts")).controlVms(acting);
    if (parts.options.gitops) {
      await (await import("../gitops/start.ts")).controlGitOps(acting);
    }
    if (parts.options.hub) {
      const { controlHub, openReach } = await import("../wings/hub.ts");
      plugArchives(plane.server.plugs, parts.directory);
      await controlHub(acting, backupsOf(parts.directory));
      const port = keptPort(join(parts.directory, "reach-port"));
      await openReach(acting, { host: loopback, port });
    }
    const kerb = kerbHost({ ...parts, authority: plane.authority });
    followHub({ ...acting, ...ownSite(plane), kerb, isHub: parts.options.hub ?? false });
  };
  if (!settings.store) return lead(scope);
  startElection({
    client: plane.client("system:kube-controller-manager"),
    namespace: "kube-system",
    name: "kerb-control",
    identity: `${settings.name}_${random.uuid()}`,
    lead,
    clock,
    random,
    log: log.with({ room: "election" }),
    scope,
  });
}
