// What a definition's status says: which of its names it may have, and whether it is served. Pure.
import type { Crd, CrdCondition, CrdNames, CrdStatus } from "./crd.ts";
import { conditionOf, isTrue } from "./crd.ts";

/** Names that others of the group have already. */
export interface TakenNames {
  /** Plural, singular and short names. */
  resources: Set<string>;
  /** Kinds and list kinds. */
  kinds: Set<string>;
}

/** The names of a group that the definitions other than `crd` hold. */
export function takenNames(crd: Crd, all: Iterable<Crd>): TakenNames {
  const taken: TakenNames = { resources: new Set(), kinds: new Set() };
  for (const other of all) {
    if (other.metadata.name === crd.metadata.name || other.spec.group !== crd.spec.group) continue;
    const names: Partial<CrdNames> = other.status?.acceptedNames ?? {};
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) {
      if (name) taken.resources.add(name);
    }
    for (const name of [names.kind, names.listKind]) if (name) taken.kinds.add(name);
  }
  return taken;
}

interface NameVerdict {
  accepted: CrdNames;
  condition: Omit<CrdCondition, "lastTransitionTime">;
}

/** A name that is taken is not accepted; what was accepted before stays. */
export function judgeNames({ spec, status }: Crd, taken: TakenNames): NameVerdict {
  const { names } = spec;
  const accepted = { ...(status?.acceptedNames ?? { plural: "", kind: "" }) } as CrdNames;
  let [reason, message] = ["NoConflicts", "no conflicts found"];
  const judge = <F extends "plural" | "singular" | "kind" | "listKind">(
    field: F,
    word: string,
    among: Set<string>,
  ) => {
    const name = names[field];
    if (name === undefined) return;
    if (!among.has(name)) accepted[field] = name;
    else [reason, message] = [`${word}Conflict`, `${JSON.stringify(name)} is already in use`];
  };
  judge("plural", "Plural", taken.resources);
  judge("singular", "Singular", taken.resources);
  const short = names.shortNames ?? [];
  const conflicting = short.filter((name) => taken.resources.has(name));
  if (conflicting.length === 0) accepted.shortNames = short;
  else {
    reason = "ShortNamesConflict";
    const each = conflicting.map((name) => `${JSON.stringify(name)} is already in use`);
    message = each.length === 1 ? each[0]! : `[${each.join(", ")}]`;
  }
  judge("kind", "Kind", taken.kinds);
  judge("listKind", "ListKind", taken.kinds);
  accepted.categories = names.categories ?? [];
  for (const list of ["shortNames", "categories"] as const) {
    if (accepted[list]?.length === 0) delete accepted[list];
  }
  const status_ = reason === "NoConflicts" ? "True" : "False";
  return { accepted, condition: { type: "NamesAccepted", status: status_, reason, message } };
}

/** `status` with a condition set; its time changes only with its status. */
export function withCondition(
  status: CrdStatus,
  condition: Omit<CrdCondition, "lastTransitionTime">,
  now: string,
): CrdStatus {
  const before = conditionOf(status, condition.type);
  const lastTransitionTime =
    before?.status === condition.status ? (before.lastTransitionTime ?? now) : now;
  const next = { lastTransitionTime, ...condition };
  const conditions = status.conditions ?? [];
  return {
    ...status,
    conditions: before
      ? conditions.map((one) => (one === before ? next : one))
      : [...conditions, next],
  };
}

/** The status of a definition that is not being deleted. `now` is a `meta/v1 Time`. */
export function statusOfCrd(crd: Crd, taken: TakenNames, now: string): CrdStatus {
  const { accepted, condition } = judgeNames(crd, taken);
  let status: CrdStatus = { ...crd.status, acceptedNames: accepted };
  status = withCondition(status, condition, now);
  if (condition.status === "True") {
    const message = "the initial names have been accepted";
    const reason = "InitialNamesAccepted";
    status = withCondition(status, { type: "Established", status: "True", reason, message }, now);
  } else if (!isTrue(status, "Established")) {
    const message = "not all names are accepted";
    const not = { type: "Established", status: "False", reason: "NotAccepted", message } as const;
    status = withCondition(status, not, now);
  }
  const storage = crd.spec.versions.find((version) => version.storage)!.name;
  const stored = status.storedVersions ?? [];
  if (!stored.includes(storage)) status.storedVersions = [...stored, storage];
  return status;
}

const terminating = {
  pending: {
    status: "True",
    reason: "InstanceDeletionPending",
    message:
      "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
  },
  running: {
    status: "True",
    reason: "InstanceDeletionInProgress",
    message: "CustomResource deletion is in progress",
  },
  completed: {
    status: "False",
    reason: "InstanceDeletionCompleted",
    message: "removed all instances",
  },
} as const;

/** The status of a definition on its way out. */
export const terminatingStatus = (crd: Crd, phase: keyof typeof terminating, now: string) =>
  withCondition(crd.status ?? {}, { type: "Terminating", ...terminating[phase] }, now);
