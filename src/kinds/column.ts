// How columns of `kubectl get` are written down. `wide` ones show with `-o wide` only.
import { humanDuration } from "../lib/human-duration.ts";
import type { Column } from "./kind.ts";
import type { KubeObject } from "./object.ts";

type Cell = NonNullable<Column["cell"]>;

export const name: Column = {
  name: "Name",
  type: "string",
  format: "name",
  priority: 0,
  jsonPath: ".metadata.name",
};

/** A date column shows how long ago. */
export const since = (title: string, jsonPath: string): Column => ({
  name: title,
  type: "date",
  priority: 0,
  jsonPath,
});

export const age = since("Age", ".metadata.creationTimestamp");

export const text = (title: string, cell: Cell): Column => ({
  name: title,
  type: "string",
  priority: 0,
  cell,
});

export const count = (title: string, cell: (object: any) => number | undefined): Column => ({
  name: title,
  type: "integer",
  priority: 0,
  cell: (object) => cell(object) ?? 0,
});

export const wide = (column: Column): Column => ({ ...column, priority: 1 });

export const none = "<none>";
export const orNone = (value: unknown) =>
  value === undefined || value === null || value === "" ? none : String(value);

/** `a=b,c=d`, or `<none>`. */
export const labelText = (labels: Record<string, string> | undefined) =>
  orNone(
    Object.entries(labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
  );

/** A LabelSelector as kubectl prints one. */
export function selectorText(selector: any): string {
  if (!selector) return none;
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }: any) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator.toLowerCase()} (${(values ?? []).join(",")})`;
  });
  const labels = Object.entries(selector.matchLabels ?? {}).map(([k, v]) => `${k}=${v}`);
  return orNone([...labels, ...expressions].join(","));
}

/** Names and images of a template's containers, for `-o wide`. */
export const containerColumns = (template: (object: KubeObject) => any): Column[] => {
  const each =
    (field: string): Cell =>
    (object) =>
      (template(object)?.spec?.containers ?? []).map((c: any) => c[field]).join(",");
  return [wide(text("Containers", each("name"))), wide(text("Images", each("image")))];
};

/** How long ago, or `<unknown>`. */
export function ago(time: string | undefined, now: number): string {
  const then = Date.parse(time ?? "");
  return Number.isNaN(then) ? "<unknown>" : humanDuration(now - then);
}
