// instancetype.kubevirt.io: sizes and preferences of machines.
import { schemaOf } from "./schemas.ts";
import { vmDefinition } from "./vm-definition.ts";

const of = (kind: string) => ({
  ...{ group: "instancetype.kubevirt.io", versions: ["v1beta1"], kind },
  schema: schemaOf(`v1beta1.${kind}`),
});

export const instancetypeDefinitions = [
  vmDefinition({
    ...of("VirtualMachineInstancetype"),
    plural: "virtualmachineinstancetypes",
    shortNames: ["vminstancetype", "vminstancetypes", "vmf", "vmfs"],
    categories: ["all"],
  }),
  vmDefinition({
    ...of("VirtualMachineClusterInstancetype"),
    plural: "virtualmachineclusterinstancetypes",
    shortNames: ["vmclusterinstancetype", "vmclusterinstancetypes", "vmcf", "vmcfs"],
    scope: "Cluster",
  }),
  vmDefinition({
    ...of("VirtualMachinePreference"),
    plural: "virtualmachinepreferences",
    shortNames: ["vmpref", "vmprefs", "vmp", "vmps"],
    categories: ["all"],
  }),
  vmDefinition({
    ...of("VirtualMachineClusterPreference"),
    plural: "virtualmachineclusterpreferences",
    shortNames: ["vmcp", "vmcps"],
    scope: "Cluster",
  }),
];
