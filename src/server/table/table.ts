// `meta/v1 Table`: what `kubectl get` prints. Columns are the kind's; cells are computed here.
import type { Kind } from "../../kinds/kind.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { badRequest } from "../../lib/status-error.ts";
import type { Call } from "../core.ts";
import { partialOf } from "../partial.ts";
import { cellsOf, columnsOf } from "./columns.ts";

/** What of the objects comes with the rows. */
function includeOf(query: URLSearchParams): "None" | "Metadata" | "Object" {
  const include = query.get("includeObject") || "Metadata";
  if (include === "None" || include === "Metadata" || include === "Object") return include;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(include)}`);
}

/** Column definitions as they stand in a Table. */
export const columnDefinitions = (kind: Kind) =>
  columnsOf(kind).map(({ name, type, format, description, priority }) => ({
    name,
    type: type === "date" ? "string" : type,
    format: format ?? (type === "date" ? "date" : ""),
    description: description ?? "",
    priority,
  }));

/** The rows of `objects`. */
export function rowsOf(call: Call, objects: KubeObject[]) {
  const include = includeOf(call.request.query);
  const now = call.core.clock.now();
  return objects.map((object) => ({
    cells: cellsOf(call.kind, object, now),
    ...(include === "Metadata" && { object: partialOf(object, call.accept.version) }),
    ...(include === "Object" && { object }),
  }));
}

/** A Table of `objects`. `definitions` false leaves the columns out, as later events of a watch do. */
export function tableOf(call: Call, objects: KubeObject[], metadata: object, definitions = true) {
  const {
    resourceVersion,
    continue: next,
    remainingItemCount,
  } = metadata as Record<string, unknown>;
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${call.accept.version}`,
    metadata: {
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(next !== undefined && { continue: next }),
      ...(remainingItemCount !== undefined && { remainingItemCount }),
    },
    columnDefinitions: definitions ? columnDefinitions(call.kind) : [],
    rows: rowsOf(call, objects),
  };
}
