// kubevirt.io: machines, their instances, their migrations, and the object that says KubeVirt is there.
import { schemaOf } from "./schemas.ts";
import { age, condition, phase, vmDefinition, withScale, withStatus } from "./vm-definition.ts";

const group = "kubevirt.io";
const versions = ["v1"];
const deprecated = ["v1alpha3"];
const categories = ["all"];
const of = (kind: string) => ({
  ...{ group, versions, deprecated, kind },
  schema: schemaOf(`v1.${kind}`),
});

export const kubevirtDefinitions = [
  vmDefinition({
    ...of("VirtualMachine"),
    plural: "virtualmachines",
    shortNames: ["vm", "vms"],
    categories,
    subresources: withStatus,
    columns: [age, { name: "Status", jsonPath: ".status.printableStatus" }, condition("Ready")],
  }),
  vmDefinition({
    ...of("VirtualMachineInstance"),
    plural: "virtualmachineinstances",
    shortNames: ["vmi", "vmis"],
    categories,
    columns: [
      age,
      phase,
      { name: "IP", jsonPath: ".status.interfaces[0].ipAddress" },
      { name: "NodeName", jsonPath: ".status.nodeName" },
      condition("Ready"),
      condition("LiveMigratable", "Live-Migratable", 1),
      condition("Paused", "Paused", 1),
    ],
  }),
  vmDefinition({
    ...of("VirtualMachineInstanceMigration"),
    plural: "virtualmachineinstancemigrations",
    shortNames: ["vmim", "vmims"],
    categories,
    subresources: withStatus,
    columns: [phase, { name: "VMI", jsonPath: ".spec.vmiName" }],
  }),
  vmDefinition({
    ...of("VirtualMachineInstanceReplicaSet"),
    plural: "virtualmachineinstancereplicasets",
    shortNames: ["vmirs", "vmirss"],
    categories,
    subresources: withScale,
    columns: [
      { name: "Desired", jsonPath: ".spec.replicas", type: "integer" },
      { name: "Current", jsonPath: ".status.replicas", type: "integer" },
      { name: "Ready", jsonPath: ".status.readyReplicas", type: "integer" },
      age,
    ],
  }),
  vmDefinition({
    ...of("KubeVirt"),
    plural: "kubevirts",
    shortNames: ["kv", "kvs"],
    categories,
    subresources: withStatus,
    columns: [age, phase],
  }),
];
