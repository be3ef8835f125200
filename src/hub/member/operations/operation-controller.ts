// A site carries out what its hub asks of it, one operation after the other, and writes down at the hub what it is
// about to do before it does what may end this process.
import type { Client } from "../../../client/client.ts";
import type { Controller } from "../../../controllers/runtime.ts";
import { timestamp } from "../../../lib/clock.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { siteOperations } from "../../kinds/fleet.ts";
import type { Operation } from "../../kinds/operation.ts";
import type { OperationStatus, SiteOperation } from "../../kinds/site-operation.ts";
import { backupSite } from "./backup-site.ts";
import { changeConfiguration } from "./change-configuration.ts";
import { failed } from "./host.ts";
import type { CarryOut, OperationSite, Progress } from "./host.ts";
import { prestageImages } from "./prestage-images.ts";
import { rotateAuthority } from "./rotate-authority.ts";
import { updateKerb } from "./update-kerb.ts";

const carryOut: Record<Operation["type"], CarryOut> = {
  UpdateKerb: updateKerb,
  RotateAuthority: rotateAuthority,
  PrestageImages: prestageImages,
  Backup: backupSite,
  ChangeConfiguration: changeConfiguration,
};

const messageMax = 2000;

const isOver = ({ status }: SiteOperation) =>
  status?.phase === "Complete" || status?.phase === "Failed";

/** What is written down after a look. Pure. */
export function statusAfter(
  before: OperationStatus | undefined,
  { phase, step, message = "" }: Progress,
  now: string,
): OperationStatus {
  const isStep = step !== undefined && step !== before?.step;
  const steppedAt = isStep ? now : before?.steppedAt;
  return {
    phase: phase!,
    ...(step !== undefined && { step }),
    message: message.slice(0, messageMax),
    startedAt: before?.startedAt ?? now,
    ...(steppedAt && { steppedAt }),
    ...(phase !== "Running" && { finishedAt: now }),
  };
}

/** Of all that are not over the oldest goes first. Pure. */
export const nextOperation = (all: SiteOperation[]): SiteOperation | undefined =>
  all
    .filter((one) => !isOver(one) && !one.metadata.deletionTimestamp)
    .toSorted((a, b) => {
      const begun = Number(b.status !== undefined) - Number(a.status !== undefined);
      const [x, y] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp} ${metadata.name}`);
      return begun || (x! < y! ? -1 : 1);
    })[0];

/** Whether a hub has operations at all: those of others do not. */
export async function takesOperations(hub: Client, site: string): Promise<boolean> {
  try {
    await hub.list({ ...siteOperations, namespace: site });
    return true;
  } catch (error) {
    if (isStatus(error, "NotFound", "Forbidden")) return false;
    throw error;
  }
}

const key = "operations";

/** Runs with the hub's client and informers. */
export function operationController(site: OperationSite, cluster: string): Controller {
  return {
    name: "site-operation",
    inputs: [{ resource: siteOperations, namespace: cluster, keys: () => [key] }],
    outputs: [siteOperations],
    workers: 1,
    async reconcile(_key, { client, clock, informer, wakeAfter }) {
      const operation = nextOperation(informer(siteOperations).list(cluster) as SiteOperation[]);
      if (!operation) return;
      const target = { ...siteOperations, namespace: cluster, name: operation.metadata.name };
      const progress = await carryOut[operation.spec.type](operation, site).catch((error: Error) =>
        failed(error.message),
      );
      const status = statusAfter(operation.status, progress, timestamp(clock.now()));
      const { resourceVersion } = operation.metadata;
      const body = { metadata: { resourceVersion }, status };
      await client.patch({ ...target, subresource: "status" }, "merge", body);
      progress.after?.();
      if (progress.againMs !== undefined) wakeAfter(key, progress.againMs);
    },
  };
}
