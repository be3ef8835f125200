// `kerb up --vms`: virtual machines as KubeVirt has them. Loaded only when asked for.
import type { Informers } from "../client/informers.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { startVmApi } from "../vms/api/publish.ts";
import { startVmControllers } from "../vms/start.ts";
import { ensureOwnImage } from "../containers/images.ts";
import { launcherImage } from "../vms/domain.ts";
import { probe } from "../vms/node/probe.ts";
import type { Runtime } from "../node/runtime.ts";
import type { ControlPlane } from "./control-plane.ts";
import { makeServing } from "./serving.ts";
import { containerdDirectory, vmsDirectory } from "./machine.ts";

export interface VmsOptions {
  plane: Pick<ControlPlane, "client" | "connect" | "discover">;
  informers: Informers;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

/** Resolves once the cluster's API has machines. */
export async function controlVms({ plane, informers, clock, random, log, scope }: VmsOptions) {
  const { discover, connect } = plane;
  const client = plane.client("system:kubevirt-controller");
  const acting = { client, clock, log: log.with({ room: "vms" }), scope };
  await startVmControllers({ ...acting, discover, informers, random });
  await startVmApi({
    ...acting,
    connect,
    makeServing: makeServing(clock, random),
    host: "127.0.0.1",
  });
}

export interface VmNodeOptions {
  /** Of the site. */
  directory: string;
  runtime: Runtime;
  clock: Clock;
}

/** An image of nothing: what the container runs is put there by the handler, and no signal but the last ends it. */
const launcher = {
  name: launcherImage,
  files: [{ path: "vm/", type: "directory" as const }],
  entrypoint: ["/qemu"],
  stopSignal: "SIGURG",
};

/** Resolves with what VMs have here, in words; undefined where there is no QEMU. */
export async function runVms({ directory, runtime, clock }: VmNodeOptions) {
  const found = await probe(vmsDirectory(directory), clock);
  if (!found) return undefined;
  await ensureOwnImage(containerdDirectory(directory), runtime, launcher);
  return `QEMU ${found.version}, ${found.why ? `emulated: ${found.why}` : "KVM"}`;
}
