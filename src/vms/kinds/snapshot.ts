// snapshot, clone and export: copies of machines with their disks.
import { schemaOf } from "./schemas.ts";
import { age, phase, vmDefinition, withStatus } from "./vm-definition.ts";

const error = { name: "Error", jsonPath: ".status.error.message" };
const ready = { name: "ReadyToUse", jsonPath: ".status.readyToUse", type: "boolean" };
const created = { name: "CreationTime", jsonPath: ".status.creationTime", type: "date" };
const categories = ["all"];
const snapshot = {
  ...{ group: "snapshot.kubevirt.io", versions: ["v1beta1", "v1alpha1"], categories },
};
const subresources = withStatus;

export const copyDefinitions = [
  vmDefinition({
    ...{ ...snapshot, kind: "VirtualMachineSnapshot", plural: "virtualmachinesnapshots" },
    ...{ shortNames: ["vmsnapshot", "vmsnapshots"], subresources },
    schema: schemaOf("v1beta1.VirtualMachineSnapshot"),
    columns: [
      { name: "SourceKind", jsonPath: ".spec.source.kind" },
      { name: "SourceName", jsonPath: ".spec.source.name" },
      ...[phase, ready, created, error],
    ],
  }),
  vmDefinition({
    ...{ ...snapshot, kind: "VirtualMachineSnapshotContent" },
    ...{ plural: "virtualmachinesnapshotcontents", subresources },
    shortNames: ["vmsnapshotcontent", "vmsnapshotcontents"],
    schema: schemaOf("v1beta1.VirtualMachineSnapshotContent"),
    columns: [ready, created, error],
  }),
  vmDefinition({
    ...{ ...snapshot, kind: "VirtualMachineRestore", plural: "virtualmachinerestores" },
    ...{ shortNames: ["vmrestore", "vmrestores"], subresources },
    schema: schemaOf("v1beta1.VirtualMachineRestore"),
    columns: [
      { name: "TargetKind", jsonPath: ".spec.target.kind" },
      { name: "TargetName", jsonPath: ".spec.target.name" },
      { name: "Complete", jsonPath: ".status.complete", type: "boolean" },
      { name: "RestoreTime", jsonPath: ".status.restoreTime", type: "date" },
      { name: "Error", jsonPath: ".status.conditions[?(@.type=='Failure')].message" },
    ],
  }),
  vmDefinition({
    ...{ group: "clone.kubevirt.io", versions: ["v1beta1", "v1alpha1"] },
    ...{ kind: "VirtualMachineClone", plural: "virtualmachineclones", subresources },
    ...{ shortNames: ["vmclone", "vmclones"], categories },
    schema: schemaOf("v1beta1.VirtualMachineClone"),
    columns: [
      phase,
      { name: "SourceVirtualMachine", jsonPath: ".spec.source.name" },
      { name: "TargetVirtualMachine", jsonPath: ".spec.target.name" },
    ],
  }),
  vmDefinition({
    ...{ group: "export.kubevirt.io", versions: ["v1", "v1beta1", "v1alpha1"] },
    ...{ kind: "VirtualMachineExport", plural: "virtualmachineexports", subresources },
    ...{ shortNames: ["vmexport", "vmexports"], categories },
    schema: schemaOf("v1.VirtualMachineExport"),
    columns: [
      { name: "SourceKind", jsonPath: ".spec.source.kind" },
      { name: "SourceName", jsonPath: ".spec.source.name" },
      ...[phase, age],
    ],
  }),
];
