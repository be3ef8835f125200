// What a node offered and offers no more has to be taken out of its status by name: a merge keeps what it does not
// name, and pods would be sent after devices that are gone. What people added themselves is theirs. Pure.
import type { KubeObject } from "../../kinds/object.ts";

const names = (fields: Record<string, unknown> = {}) =>
  Object.keys(fields).flatMap((key) => (key.startsWith("f:") ? [key.slice("f:".length)] : []));

/** The resources that a node wrote itself: as whoever wrote what its kubelet is. */
export function offeredBefore({ metadata }: KubeObject): string[] {
  const all = (metadata.managedFields ?? []).map(({ fieldsV1 }: any) => fieldsV1?.["f:status"]);
  const own = all.filter((status: any) => status?.["f:nodeInfo"]);
  return own.flatMap((status: any) => [
    ...names(status["f:capacity"]),
    ...names(status["f:allocatable"]),
  ]);
}

/** For a merge: null for each that is offered no more. */
export const withoutGone = (
  now: Record<string, string>,
  before: Iterable<string>,
): Record<string, string | null> => ({
  ...Object.fromEntries([...before].map((name) => [name, null])),
  ...now,
});
