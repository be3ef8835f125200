// A volume that became larger is grown at its node, while its pod runs, and its claim is told.
import type { KubeObject } from "../../kinds/object.ts";
import { resource } from "../../client/client.ts";
import { isGrpc } from "../../lib/grpc.ts";
import { amountOf } from "../../lib/pod-requests.ts";
import { sizeOf } from "../../lib/volume-match.ts";
import type { AgentContext } from "../context.ts";
import type { Pod } from "../pods/pod.ts";
import type { DrivenVolume } from "../volumes/volume.ts";
import { capabilityOf, secretOf } from "./requests.ts";

const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");
const ownConditions = new Set(["Resizing", "FileSystemResizePending"]);

/** What a claim says once it is as large as its volume. Pure. */
export function grownStatus({ status }: KubeObject, storage: string) {
  const conditions = (status?.conditions ?? []).filter((one: any) => !ownConditions.has(one.type));
  return {
    capacity: { storage },
    conditions: conditions.length > 0 ? conditions : null,
    ...(status?.allocatedResources && { allocatedResources: { storage } }),
    ...(status?.allocatedResourceStatuses && { allocatedResourceStatuses: { storage: null } }),
  };
}

async function askDriver(context: AgentContext, pod: Pod, driven: DrivenVolume, bytes: number) {
  const { source, target, staging } = driven;
  const driver = context.csi?.find(source.driver);
  if (!driver) throw new Error(`driver ${source.driver} is not registered`);
  if (!(await driver.can("expands"))) return;
  await driver.call("NodeExpandVolume", {
    volume_id: source.handle,
    volume_path: target,
    ...(staging && { staging_target_path: staging }),
    capacity_range: { required_bytes: bytes },
    volume_capability: await capabilityOf({ pod }, source, driver),
    secrets: await secretOf(context, source.expandSecret),
  });
}

/** Throws when the driver could not; the claim says so when it never will. */
export async function growAtNode(
  context: AgentContext,
  pod: Pod,
  { driven, claimName }: { driven: DrivenVolume; claimName: string },
) {
  const { client, event } = context;
  const { namespace } = pod.metadata;
  const target = { ...claims, namespace, name: claimName };
  const claim = await client.get(target);
  const known = amountOf("storage", claim.status?.capacity?.storage ?? "0");
  // Nobody asked for more, so there is nothing to look up.
  if (amountOf("storage", claim.spec.resources?.requests?.storage ?? "0") <= known) return;
  const volume = await client.get({ ...volumes, name: claim.spec.volumeName });
  if (sizeOf(volume) <= known || driven.source.readOnly) return;
  const status = { ...target, subresource: "status" };
  try {
    await askDriver(context, pod, driven, sizeOf(volume));
  } catch (error) {
    event(pod, "Warning", "VolumeResizeFailed", (error as Error).message);
    if (isGrpc(error, "INVALID_ARGUMENT", "OUT_OF_RANGE")) {
      const allocatedResourceStatuses = { storage: "NodeResizeInfeasible" };
      await client.patch(status, "merge", { status: { allocatedResourceStatuses } });
    }
    throw error;
  }
  const { storage } = volume.spec.capacity;
  await client.patch(status, "merge", { status: grownStatus(claim, storage) });
  const told = `MountVolume.NodeExpandVolume succeeded for volume "${volume.metadata.name}"`;
  event(pod, "Normal", "FileSystemResizeSuccessful", told);
  event(claim, "Normal", "FileSystemResizeSuccessful", told);
}
