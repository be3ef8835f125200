// Label and field selectors of a list, watch or deletecollection, as one predicate.
import type { Kind } from "../kinds/kind.ts";
import { apiVersionOf } from "../kinds/kind.ts";
import type { KubeObject } from "../kinds/object.ts";
import { parseFieldSelector, parseLabelSelector } from "../lib/selector.ts";
import { badRequest } from "../lib/status-error.ts";

export interface Selection {
  matches(object: KubeObject): boolean;
  /** The one name it can match, when `metadata.name=x` is part of it. */
  name?: string;
}

const alwaysSelectable = ["metadata.name", "metadata.namespace"];

/** The value of the first of `paths` that leads to one, as field selectors read it. */
function fieldOf(object: KubeObject, paths: string[][], absent: string): string {
  for (const path of paths) {
    let value: any = object;
    for (const step of path) value = value?.[step];
    if (value !== undefined && value !== null && value !== "") return String(value);
  }
  return absent;
}

function fieldsOf(text: string, kind: Kind, labelText: string) {
  const selectable = new Set([...alwaysSelectable, ...(kind.selectableFields ?? [])]);
  return parseFieldSelector(text).map(({ field, operator, value }) => {
    if (!selectable.has(field)) {
      throw badRequest(
        `Unable to find "${apiVersionOf(kind)}, Resource=${kind.plural}" that match label selector ` +
          `"${labelText}", field selector "${text}": field label not supported: ${field}`,
      );
    }
    const { path = field, otherwise, absent = "" } = kind.fieldReads?.[field] ?? {};
    const paths = [path, ...(otherwise ? [otherwise] : [])].map((one) => one.split("."));
    return { paths, equal: operator !== "!=", value, field, absent };
  });
}

/** Undefined when everything is selected. Throws BadRequest for selectors that do not parse. */
export function selectionOf(query: URLSearchParams, kind: Kind): Selection | undefined {
  const labelText = query.get("labelSelector") ?? "";
  const fieldText = query.get("fieldSelector") ?? "";
  if (labelText === "" && fieldText === "") return undefined;
  const labels = labelText === "" ? undefined : parseLabelSelector(labelText);
  const fields = fieldText === "" ? [] : fieldsOf(fieldText, kind, labelText);
  const name = fields.find(({ field, equal }) => equal && field === "metadata.name")?.value;
  return {
    ...(name !== undefined && { name }),
    matches: (object) =>
      fields.every(
        ({ paths, equal, value, absent }) => (fieldOf(object, paths, absent) === value) === equal,
      ) &&
      (!labels || labels(object.metadata.labels ?? {})),
  };
}
