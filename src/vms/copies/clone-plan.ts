// VirtualMachineClone, decided: what is made next, and how far it is. Pure.
import type { KubeObject } from "../../kinds/object.ts";

export interface CloneSeen {
  clone: KubeObject;
  /** The machine; true for a snapshot, which is looked for by itself. */
  source: KubeObject | true | undefined;
  snapshot: KubeObject | undefined;
  restore: KubeObject | undefined;
  target: KubeObject | undefined;
}

export interface ClonePlan {
  phase: string;
  make?: "snapshot" | "restore";
  conditions: object[];
}

const failure = ({ status }: KubeObject) =>
  status?.error?.message ??
  status?.conditions?.find((one: any) => one.type === "Failure" && one.status === "True")?.message;

function stage({
  clone,
  source,
  snapshot,
  restore,
  target,
}: CloneSeen): Omit<ClonePlan, "conditions"> & { why?: string } {
  const { kind } = clone.spec.source;
  if (clone.status?.phase === "Succeeded" || clone.status?.phase === "Failed") {
    return {
      phase: clone.status.phase,
      ...(clone.status.conditions?.[0]?.message && { why: clone.status.conditions[0].message }),
    };
  }
  if (!["VirtualMachine", "VirtualMachineSnapshot"].includes(kind)) {
    return { phase: "Failed", why: `spec.source.kind: ${kind} is not cloned` };
  }
  if (clone.spec.volumeNamePolicy === "PrefixTargetName") {
    return { phase: "Failed", why: "spec.volumeNamePolicy: PrefixTargetName is not supported" };
  }
  if (!source)
    return { phase: "Failed", why: `VirtualMachine ${clone.spec.source.name} does not exist` };
  if (!snapshot && kind === "VirtualMachineSnapshot") {
    return {
      phase: "Failed",
      why: `VirtualMachineSnapshot ${clone.spec.source.name} does not exist`,
    };
  }
  if (!restore && target)
    return { phase: "Failed", why: `VirtualMachine ${target.metadata.name} is there already` };
  if (!snapshot) return { phase: "SnapshotInProgress", make: "snapshot" };
  if (snapshot.status?.phase === "Failed")
    return { phase: "Failed", why: failure(snapshot) ?? "the snapshot failed" };
  if (!snapshot.status?.readyToUse) return { phase: "SnapshotInProgress" };
  if (!restore) return { phase: "RestoreInProgress", make: "restore" };
  if (failure(restore)) return { phase: "Failed", why: failure(restore) };
  return { phase: restore.status?.complete ? "Succeeded" : "RestoreInProgress" };
}

export function planClone(seen: CloneSeen): ClonePlan {
  const { why, ...plan } = stage(seen);
  const done = plan.phase === "Succeeded";
  const over = done || plan.phase === "Failed";
  const said = {
    reason: over ? (done ? "Operation complete" : "Failed") : plan.phase,
    ...(why && { message: why }),
  };
  return {
    ...plan,
    conditions: [
      { type: "Progressing", status: over ? "False" : "True", ...said },
      { type: "Ready", status: done ? "True" : "False", ...said },
    ],
  };
}

/** `*` and names with `*` in them; one that begins with `!` takes away. */
function filtered(map: Record<string, string>, filters: string[]): Record<string, string> {
  const fits = (pattern: string, key: string) =>
    pattern.split("*").length === 1
      ? pattern === key
      : key.startsWith(pattern.split("*")[0]!) && key.endsWith(pattern.split("*").at(-1)!);
  const wanted = filters.filter((one) => !one.startsWith("!"));
  const unwanted = filters.filter((one) => one.startsWith("!")).map((one) => one.slice(1));
  return Object.fromEntries(
    Object.entries(map).filter(
      ([key]) =>
        (wanted.length === 0 || wanted.some((one) => fits(one, key))) &&
        !unwanted.some((one) => fits(one, key)),
    ),
  );
}

/** What makes the target another machine than the source, as operations on it. `machine` is the source's content. */
export function clonePatches(clone: KubeObject, machine: any): string[] {
  const { newMacAddresses = {}, newSMBiosSerial, patches = [], template = {} } = clone.spec;
  const { spec, metadata } = machine;
  const { domain } = spec.template.spec;
  const operations: object[] = [];
  const add = (path: string, value: unknown) => operations.push({ op: "add", path, value });
  const narrow = (
    path: string,
    map: Record<string, string> | undefined,
    filters: string[] | undefined,
  ) => {
    if (map && filters) add(path, filtered(map, filters));
  };
  narrow("/metadata/labels", metadata.labels, clone.spec.labelFilters);
  narrow("/metadata/annotations", metadata.annotations, clone.spec.annotationFilters);
  narrow("/spec/template/metadata/labels", spec.template.metadata?.labels, template.labelFilters);
  narrow(
    "/spec/template/metadata/annotations",
    spec.template.metadata?.annotations,
    template.annotationFilters,
  );
  (domain.devices?.interfaces ?? []).forEach(({ name }: any, i: number) => {
    const mac = newMacAddresses[name];
    if (mac) add(`/spec/template/spec/domain/devices/interfaces/${i}/macAddress`, mac);
  });
  if (newSMBiosSerial) {
    const { uuid: _, ...firmware } = domain.firmware ?? {};
    add("/spec/template/spec/domain/firmware", { ...firmware, serial: newSMBiosSerial });
  }
  return [...operations.map((one) => JSON.stringify(one)), ...patches];
}
