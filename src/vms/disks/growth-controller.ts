// A claim that grew under a machine that runs: QEMU is told, and the guest sees a larger disk. Where copies of a disk
// are kept, it grows when all of them have (replication/).
import { perContext } from "../../controllers/per-context.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { vmControl } from "../control.ts";
import { claims, instances } from "../kinds/resources.ts";
import { isReplicated } from "../replication/record.ts";

/** Of a machine that moves, or a node that is away. */
const retryMs = 5000;

/** Bytes that a machine's disks were told to have, by VMI and volume. */
const told = perContext(() => new Map<Key, Map<string, number>>());

const claimOf = ({ persistentVolumeClaim, dataVolume }: any): string | undefined =>
  persistentVolumeClaim?.claimName ?? dataVolume?.name;

/** The disks of a VMI whose claims have room, and how much. */
function roomOf(vmi: KubeObject, { informer }: ControllerContext): Map<string, number> {
  const volumes: any[] = vmi.spec.volumes ?? [];
  const shared = new Set(
    (vmi.spec.domain.devices?.filesystems ?? []).map(({ name }: any) => name as string),
  );
  return new Map(
    volumes.flatMap((volume) => {
      const name = claimOf(volume);
      const claim = name ? informer(claims).get(name, vmi.metadata.namespace) : undefined;
      const capacity: string | undefined = claim?.status?.capacity?.storage;
      if (!capacity || isReplicated(claim) || shared.has(volume.name)) return [];
      return [[volume.name, parseQuantity(capacity)] as const];
    }),
  );
}

/** The VMI's own pod, by its node. */
const podOf = ({ status }: KubeObject): string | undefined =>
  Object.entries(status?.activePods ?? {}).find(([, node]) => node === status.nodeName)?.[0];

export const growthController = (connect: NodeConnector): Controller => ({
  name: "disk-growth",
  inputs: [
    { resource: instances },
    {
      resource: claims,
      keys: ({ metadata }, { informer }) =>
        informer(instances)
          .list(metadata.namespace)
          .filter(({ spec }) => (spec.volumes ?? []).some((v: any) => claimOf(v) === metadata.name))
          .map((vmi) => `${vmi.metadata.namespace}/${vmi.metadata.name}`),
    },
  ],
  outputs: [],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const vmi = context.informer(instances).get(name, namespace);
    const known = told(context);
    if (vmi?.status?.phase !== "Running") return void known.delete(key);
    const pod = podOf(vmi);
    if (!pod || (vmi.status.migrationState && !vmi.status.migrationState.completed)) return;
    const before = known.get(key) ?? new Map<string, number>();
    const room = roomOf(vmi, context);
    for (const [volume, bytes] of room) {
      if (before.get(volume) === bytes) continue;
      try {
        const control = vmControl(await connect(vmi.status.nodeName), pod);
        await control.resizeVolume(volume, bytes);
      } catch (error) {
        context.log.debug("a disk did not grow", { volume, error: String(error) });
        context.wakeAfter(key, retryMs);
        continue;
      }
      before.set(volume, bytes);
    }
    known.set(key, before);
  },
});
