// A machine as a snapshot has it, with the restored claims in place of its old ones. Pure.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { jsonPatch } from "../../lib/patch/json-patch.ts";
import { badRequest } from "../../lib/status-error.ts";

export interface RestoredMachine {
  content: KubeObject;
  /** New claims, by volume. */
  claims: Record<string, string>;
  /** JSON texts of single operations. */
  patches: string[];
}

function withClaims(spec: any, claims: Record<string, string>) {
  const template = structuredClone(spec.template);
  const replaced = new Set<string>();
  for (const volume of template.spec.volumes ?? []) {
    const claimName = claims[volume.name];
    if (!claimName) continue;
    if (volume.dataVolume) replaced.add(volume.dataVolume.name);
    delete volume.dataVolume;
    volume.persistentVolumeClaim = { claimName };
  }
  const dataVolumeTemplates = (spec.dataVolumeTemplates ?? []).filter(
    ({ metadata }: any) => !replaced.has(metadata.name),
  );
  const { dataVolumeTemplates: _, ...rest } = spec;
  return {
    ...structuredClone(rest),
    template,
    ...(dataVolumeTemplates.length > 0 && { dataVolumeTemplates }),
  };
}

function patched(object: any, patches: string[]) {
  try {
    return jsonPatch(
      object,
      patches.map((text) => JSON.parse(text)),
    );
  } catch (error) {
    throw badRequest(`spec.patches: ${(error as Error).message}`);
  }
}

/** The spec that an existing machine gets; it runs when it did before. */
export function restoredSpec(target: KubeObject, { content, claims, patches }: RestoredMachine) {
  const { virtualMachine } = content.spec.source;
  const { runStrategy, running } = target.spec;
  const { runStrategy: _, running: __, ...spec } = withClaims(virtualMachine.spec, claims);
  const own = runStrategy === undefined ? { running } : { runStrategy };
  return patched({ ...target, spec: { ...spec, ...own } }, patches).spec;
}

/** Two machines on one network are not one. */
function dropIdentity(domain: any) {
  for (const one of domain.devices?.interfaces ?? []) delete one.macAddress;
  delete domain.firmware?.uuid;
  delete domain.firmware?.serial;
}

const machineAnnotation = /^(kubectl\.kubernetes\.io|vms\.kerb\.dev)\//;

/** A machine of another name, which does not run yet. */
export function restoredMachine(
  name: string,
  { content, claims, patches }: RestoredMachine,
): Draft {
  const { metadata, spec } = content.spec.source.virtualMachine;
  const annotations = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => !machineAnnotation.test(key),
  );
  const { running: _, ...rest } = withClaims(spec, claims);
  dropIdentity(rest.template.spec.domain);
  const object = {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachine",
    metadata: {
      name,
      labels: { ...metadata.labels },
      annotations: Object.fromEntries(annotations),
    },
    spec: { ...rest, runStrategy: "Halted" },
  };
  return patched(object, patches);
}
