// VMIs that are to leave their node: a migration is asked for, until they are elsewhere.
import type { Controller, Key } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { instances, migrations } from "../kinds/resources.ts";
import { isOver } from "../migration/plan.ts";

const annotation = "kubevirt.io/evacuationMigration";
const retryMs = 10_000;
/** Migrations of one VMI from one node that failed before no other is asked for. */
const failuresMax = 5;

const evacuates = ({ status }: KubeObject) => status?.evacuationNodeName !== undefined;

const ofMigration = ({ metadata, spec }: KubeObject): Key[] => [
  `${metadata.namespace}/${spec.vmiName}`,
];

export const evacuationController: Controller = {
  name: "virtual-machine-evacuation",
  inputs: [{ resource: instances }, { resource: migrations, keys: ofMigration }],
  outputs: [instances, migrations],
  async reconcile(key, { client, informer, event, wakeAfter }) {
    const [namespace, name] = key.split("/") as [string, string];
    const vmi = informer(instances).get(name, namespace);
    if (!vmi || !evacuates(vmi)) return;
    const { evacuationNodeName, nodeName, phase } = vmi.status;
    if (evacuationNodeName !== nodeName || phase !== "Running") {
      const { evacuationNodeName: _, ...status } = vmi.status;
      await client.update({ ...instances, namespace, name }, { ...vmi, status });
      return;
    }
    // Somebody else moves it.
    if (vmi.spec.evictionStrategy === "External") return;
    const own = informer(migrations)
      .list(namespace)
      .filter(({ spec }) => spec.vmiName === name);
    if (own.some((one) => !isOver(one))) return;
    const failures = own.filter((one) => one.metadata.annotations?.[annotation] === nodeName);
    const migration = {
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachineInstanceMigration",
      metadata: {
        generateName: "kubevirt-evacuation-",
        namespace,
        annotations: { [annotation]: nodeName },
      },
      spec: { vmiName: name },
    };
    if (failures.length >= failuresMax) return wakeAfter(key, retryMs);
    await client.create({ ...migrations, namespace }, migration);
    event(vmi, "Normal", "EvictionRequested", `leaves node ${nodeName}`);
  },
};
