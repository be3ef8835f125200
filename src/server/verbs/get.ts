// GET of one object: its stored bytes, straight.
import { notFound } from "../../lib/status-error.ts";
import type { Call } from "../core.ts";
import { parseRevision, tooLargeRevision } from "../list-options.ts";
import type { ApiResponse } from "../request.ts";
import { respondStored } from "../respond.ts";
import { keyOf, readAhead } from "../stored.ts";

export const notFoundError = ({ kind, info }: Call, name = info.name ?? "") =>
  notFound({ group: kind.group, resource: kind.plural }, name);

/** The entry the call names; throws NotFound. */
export async function existing(call: Call) {
  const { core, kind, info } = call;
  const entry = await core.store.get(keyOf(kind, info.namespace, info.name!));
  if (!entry) throw notFoundError(call);
  await readAhead(kind, [entry.value]);
  return entry;
}

export async function get(call: Call): Promise<ApiResponse> {
  const revision = call.request.query.get("resourceVersion") || "0";
  const current = call.core.store.revision();
  if (parseRevision(revision) > current) throw tooLargeRevision(Number(revision), current);
  const entry = await existing(call);
  return respondStored(call, 200, entry.value);
}
