// What a node's labels say of its VMs, in KubeVirt's words. Pure.
import type { NodeCapabilities } from "./probe.ts";

const prefixes = {
  model: "cpu-model.node.kubevirt.io/",
  migratable: "cpu-model-migration.node.kubevirt.io/",
  machine: "machine-type.node.kubevirt.io/",
} as const;

const isSchedulable = "kubevirt.io/schedulable";
const dedicates = "cpumanager";

/** All that a node with VMs has: whole, or all below `prefix/`. */
export const vmLabels: string[] = [isSchedulable, dedicates, ...Object.values(prefixes)];

const labelName = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** Labels to be there, and with `null` those of ours that are not to be there any more. */
export function nodeLabels(
  { models, dedicatesCpus }: Pick<NodeCapabilities, "models"> & { dedicatesCpus: boolean },
  before: Record<string, string>,
): Record<string, string | null> {
  const wanted: Record<string, string> = {
    [isSchedulable]: "true",
    [dedicates]: String(dedicatesCpus),
  };
  for (const model of models.filter((one) => labelName.test(one))) {
    wanted[prefixes.model + model] = "true";
    wanted[prefixes.migratable + model] = "true";
  }
  for (const machine of ["q35", "pc", "microvm"]) wanted[prefixes.machine + machine] = "true";
  const own = Object.values(prefixes);
  const gone = Object.keys(before).filter(
    (key) => own.some((prefix) => key.startsWith(prefix)) && !(key in wanted),
  );
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...wanted };
}
