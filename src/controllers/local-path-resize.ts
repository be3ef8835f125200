// Makes local volumes as large as their claims ask. A folder has no size of its own, so it is done when the
// objects say so; a volume that is a file is grown by its node, which then tells the claim.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { localVolumes } from "../lib/local-volumes.ts";
import { amountOf } from "../lib/pod-requests.ts";
import { isStatus } from "../lib/status-error.ts";
import { sizeOf } from "../lib/volume-match.ts";
import { provisionedBy } from "./persistent-volume/plan.ts";
import type { Controller } from "./runtime.ts";

const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");

const bytes = (amount: string | undefined) => amountOf("storage", amount ?? "0");

export interface ResizePlan {
  /** The volume's new capacity. */
  volume?: string;
  /** The claim is as large as its volume now. */
  claim?: string;
  /** Its node has to do the rest. */
  isPending?: true;
}

/** Pure. */
export function planResize({ spec, status }: KubeObject, volume: KubeObject): ResizePlan {
  const asked: string = spec.resources.requests.storage;
  const isLarger = bytes(asked) > sizeOf(volume);
  const capacity: string = isLarger ? asked : volume.spec.capacity.storage;
  const grow = isLarger ? { volume: asked } : {};
  if (bytes(status?.capacity?.storage) >= bytes(capacity)) return grow;
  const isFolder = volume.spec.volumeMode !== "Block" && !volume.spec.local?.fsType;
  if (isFolder) return { ...grow, claim: capacity };
  const known = status?.conditions?.some((one: any) => one.type === "FileSystemResizePending");
  return known ? grow : { ...grow, isPending: true };
}

const keyOf = ({ metadata }: { metadata: { namespace?: string; name: string } }) =>
  `${metadata.namespace}/${metadata.name}`;

export const localPathResize: Controller = {
  name: "local-path-resize",
  inputs: [
    { resource: claims },
    {
      resource: volumes,
      keys: ({ spec }) => (spec.claimRef ? [keyOf({ metadata: spec.claimRef })] : []),
    },
  ],
  outputs: [volumes, { ...claims, resource: "persistentvolumeclaims/status" }],
  async reconcile(key, { client, informer, event, clock }) {
    const [namespace, name] = key.split("/") as [string, string];
    const claim = informer(claims).get(name, namespace);
    const volume = claim?.spec.volumeName && informer(volumes).get(claim.spec.volumeName);
    if (!volume || claim.metadata.deletionTimestamp || claim.status?.phase !== "Bound") return;
    if (volume.metadata.annotations?.[provisionedBy] !== localVolumes.provisioner) return;
    const plan = planResize(claim, volume);
    const status = { ...claims, namespace, name, subresource: "status" };
    try {
      if (plan.volume) {
        const capacity = { storage: plan.volume };
        const target = { ...volumes, name: volume.metadata.name };
        await client.patch(target, "merge", { spec: { capacity } });
      }
      if (plan.claim) {
        await client.patch(status, "merge", { status: { capacity: { storage: plan.claim } } });
        event(claim, "Normal", "VolumeResizeSuccessful", `Resized to ${plan.claim}`);
      }
      if (plan.isPending) {
        const condition = {
          type: "FileSystemResizePending",
          status: "True",
          lastTransitionTime: timestamp(clock.now()),
          message: "Waiting for the node to make the volume larger",
        };
        await client.patch(status, "strategic", { status: { conditions: [condition] } });
      }
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
  },
};
