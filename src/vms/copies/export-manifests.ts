// What an export gives besides disks: the objects that bring its machine up elsewhere, with the disks taken from here.
// Pure.
import type { KubeObject } from "../../kinds/object.ts";
import type { ExportedDisk } from "./export-plan.ts";
import { exportPath } from "./export-plan.ts";
import { claimsByVolume } from "./snapshot-content.ts";

export interface ManifestParts {
  /** The VirtualMachineExport. */
  exported: KubeObject;
  vm: KubeObject;
  disks: ExportedDisk[];
  /** Of the machine's claims, by name. */
  claimSpecs: Record<string, any>;
  /** Where exports are served, and the authority there. */
  at: { url: string; ca: string };
}

const secretName = ({ metadata }: KubeObject) => `header-secret-${metadata.name}`;
const authorityName = ({ metadata }: KubeObject) => `export-ca-cm-${metadata.name}`;
const tokenHeader = "x-kubevirt-export-token";

/** The claims of elsewhere are of its own classes. */
function storageOf(spec: any) {
  const { accessModes, volumeMode, resources } = spec ?? {};
  return {
    ...(accessModes && { accessModes }),
    ...(volumeMode && { volumeMode }),
    resources: { requests: { storage: resources?.requests?.storage } },
  };
}

export function exportManifests({ exported, vm, disks, claimSpecs, at }: ManifestParts): object[] {
  const { namespace, name } = exported.metadata;
  const certConfigMap = authorityName(exported);
  const specOf = (claim: string, disk: string) => ({
    storage: storageOf(claimSpecs[claim]),
    source: {
      http: {
        url: `${at.url}${exportPath(namespace!, name, disk)}/disk.img.gz`,
        certConfigMap,
        secretExtraHeaders: [secretName(exported)],
      },
    },
  });
  const volumes = claimsByVolume(vm.spec.template.spec).flatMap(({ volume, claimName }) => {
    const disk = disks.find((one) => one.name === claimName || one.name === volume);
    return disk ? [{ name: claimName, spec: specOf(claimName, disk.name) }] : [];
  });
  const templates: any[] = vm.spec.dataVolumeTemplates ?? [];
  const own = new Set(templates.map(({ metadata }) => metadata.name));
  const { labels, annotations = {} } = vm.metadata;
  const kept = Object.entries(annotations).filter(([key]) => !key.startsWith("kubectl."));
  const dataVolumeTemplates = templates.map((template) => {
    const found = volumes.find((one) => one.name === template.metadata.name);
    return found ? { metadata: { name: found.name }, spec: found.spec } : template;
  });
  return [
    {
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: certConfigMap } },
      data: { "ca.pem": at.ca },
    },
    {
      ...{ apiVersion: "kubevirt.io/v1", kind: "VirtualMachine" },
      metadata: {
        name: vm.metadata.name,
        ...(labels && { labels }),
        ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
      },
      spec: { ...vm.spec, ...(templates.length > 0 && { dataVolumeTemplates }) },
    },
    ...volumes
      .filter((one) => !own.has(one.name))
      .map(({ name: called, spec }) => ({
        ...{ apiVersion: "cdi.kubevirt.io/v1beta1", kind: "DataVolume" },
        ...{ metadata: { name: called }, spec },
      })),
  ];
}

/** Whoever has it may take the disks. */
export const headerSecret = (exported: KubeObject, token: string) => ({
  ...{ apiVersion: "v1", kind: "Secret", metadata: { name: secretName(exported) } },
  stringData: { token: `${tokenHeader}:${token}` },
});
