// pool.kubevirt.io: so many machines of one template.
import { schemaOf } from "./schemas.ts";
import { age, vmDefinition, withScale } from "./vm-definition.ts";

export const poolDefinition = vmDefinition({
  group: "pool.kubevirt.io",
  versions: ["v1beta1", "v1alpha1"],
  kind: "VirtualMachinePool",
  plural: "virtualmachinepools",
  shortNames: ["vmpool", "vmpools"],
  categories: ["all"],
  schema: schemaOf("v1beta1.VirtualMachinePool"),
  subresources: withScale,
  columns: [
    { name: "Desired", jsonPath: ".spec.replicas", type: "integer" },
    { name: "Current", jsonPath: ".status.replicas", type: "integer" },
    { name: "Ready", jsonPath: ".status.readyReplicas", type: "integer" },
    age,
  ],
});
