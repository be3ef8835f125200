// The entries of `metadata.managedFields`: who owns what, by manager, operation and subresource.
import type { ManagedFieldsEntry } from "../../kinds/object.ts";
import { StatusError } from "../../lib/status-error.ts";
import {
  emptySet,
  equalSets,
  inOrder,
  isEmpty,
  pathsOf,
  printPath,
  union,
  type FieldSet,
} from "./field-set.ts";
import { readFieldsV1 } from "./fields-v1.ts";

/** Update entries kept per object; older ones are merged into one. */
export const updateManagersMax = 10;
const ancientChanges = "ancient-changes";

/** Longest manager name taken from a user agent, in characters. */
const managerNameCharsMax = 128;

/** Who owns an entry. Two entries with the same id are one. */
export interface ManagerId {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  subresource: string;
}

export const fieldsOfEntry = (entry: ManagedFieldsEntry) => entry.fieldsV1 as FieldSet;

/** The API version tells updaters apart and not appliers. */
export const isOf = (entry: ManagedFieldsEntry, id: ManagerId) =>
  (entry.manager ?? "") === id.manager &&
  entry.operation === id.operation &&
  (entry.subresource ?? "") === id.subresource &&
  (id.operation === "Apply" || entry.apiVersion === id.apiVersion);

export const makeEntry = (id: ManagerId, time: string, set: FieldSet): ManagedFieldsEntry => ({
  manager: id.manager,
  operation: id.operation,
  apiVersion: id.apiVersion,
  time,
  fieldsType: "FieldsV1",
  fieldsV1: inOrder(set),
  ...(id.subresource && { subresource: id.subresource }),
});

/**
 * The entry owning `set` instead; itself when it does already; undefined when there is nothing to
 * own.
 */
export function withFields(entry: ManagedFieldsEntry, set: FieldSet) {
  if (isEmpty(set)) return undefined;
  return set === entry.fieldsV1 ? entry : { ...entry, fieldsV1: inOrder(set) };
}

/** The manager of a request: its fieldManager parameter, else what its user agent starts with. */
export const managerOf = (fieldManager: string | null | undefined, userAgent: string | undefined) =>
  fieldManager ||
  (userAgent ?? "")
    .split("/")[0]!
    .replace(/[^\x20-\x7e]/g, "")
    .slice(0, managerNameCharsMax) ||
  "unknown";

/** True for `[{}]`, by which a client clears the managed fields. */
export const isReset = (entries: unknown) =>
  Array.isArray(entries) &&
  entries.length === 1 &&
  Object.values(entries[0] ?? {}).every((value) => !value);

/** Entries as a client wrote them, in canonical form; undefined when they cannot be read. */
export function readEntries(entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] | undefined {
  const out: ManagedFieldsEntry[] = [];
  for (const entry of entries) {
    const set = readFieldsV1(entry.fieldsV1 ?? {});
    if (!set || (entry.operation !== "Apply" && entry.operation !== "Update")) return undefined;
    if (!entry.apiVersion || (entry.fieldsType ?? "FieldsV1") !== "FieldsV1") return undefined;
    out.push({ ...entry, fieldsType: "FieldsV1", fieldsV1: set });
  }
  return out;
}

const order = (entry: ManagedFieldsEntry) => [
  entry.operation,
  entry.time ?? "",
  entry.manager ?? "",
  entry.apiVersion,
  entry.subresource ?? "",
];

function compareEntries(a: ManagedFieldsEntry, b: ManagedFieldsEntry) {
  const [left, right] = [order(a), order(b)];
  for (let i = 0; i < left.length; i++) {
    if (left[i]! !== right[i]!) return left[i]! < right[i]! ? -1 : 1;
  }
  return 0;
}

/** Appliers first, then by age; the oldest updaters over the limit are merged, by API version. */
export function arrange(entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const sorted = entries.toSorted(compareEntries);
  const updaters = sorted.filter((entry) => entry.operation === "Update");
  let excess = updaters.length - updateManagersMax;
  if (excess <= 0) return sorted;
  const out = new Set(sorted);
  const oldest = new Map<string, ManagedFieldsEntry>();
  for (const entry of updaters) {
    if (excess <= 0) break;
    const { apiVersion, time = "" } = entry;
    const older = oldest.get(apiVersion);
    if (!older) {
      oldest.set(apiVersion, entry);
      continue;
    }
    const id = { manager: ancientChanges, operation: "Update", subresource: "" } as const;
    const set = union(fieldsOfEntry(older), fieldsOfEntry(entry));
    const both = makeEntry({ ...id, apiVersion }, time, set);
    out.delete(older);
    out.delete(entry);
    out.add(both);
    oldest.set(apiVersion, both);
    excess--;
  }
  return [...out].sort(compareEntries);
}

export const sameEntries = (a: ManagedFieldsEntry[], b: ManagedFieldsEntry[]) =>
  a.length === b.length &&
  a.every((entry, i) => {
    const other = b[i]!;
    const id = { manager: "", subresource: "", ...other };
    return (
      isOf(entry, id) &&
      entry.apiVersion === other.apiVersion &&
      equalSets(fieldsOfEntry(entry), fieldsOfEntry(other))
    );
  });

/** A manager's owned path that an apply would change. */
export interface Conflict {
  entry: ManagedFieldsEntry;
  path: string;
}

export const conflictsOf = (entry: ManagedFieldsEntry, set: FieldSet): Conflict[] =>
  [...pathsOf(set)].map((path) => ({ entry, path: printPath(path) }));

function printManager(entry: ManagedFieldsEntry) {
  const name = JSON.stringify(entry.manager ?? "");
  const text = entry.subresource ? `${name} with subresource "${entry.subresource}"` : name;
  return entry.operation === "Update" ? `${text} using ${entry.apiVersion}` : text;
}

/** 409 with a cause for each conflict, in the words of upstream's NewConflictError. */
export function applyConflict(conflicts: Conflict[]): StatusError {
  const causes = conflicts.map(({ entry, path }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${printManager(entry)}`,
    field: path,
  }));
  const [first] = conflicts;
  let text = `1 conflict: conflict with ${printManager(first!.entry)}: ${first!.path}`;
  if (conflicts.length > 1) {
    const byManager = Map.groupBy(conflicts, ({ entry }) => printManager(entry));
    const lines = [...byManager.keys()]
      .sort()
      .flatMap((manager) => [
        `conflicts with ${manager}:`,
        ...byManager.get(manager)!.map(({ path }) => `- ${path}`),
      ]);
    text = `${conflicts.length} conflicts: ${lines.join("\n")}`;
  }
  return new StatusError("Conflict", `Apply failed with ${text}`, { details: { causes } });
}

/** Everything that any of the entries owns. */
export const unionOf = (entries: ManagedFieldsEntry[]) =>
  entries.reduce((set, entry) => union(set, fieldsOfEntry(entry)), emptySet);
