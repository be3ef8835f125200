// The cells of a row. Built-in columns compute their cell; columns of CustomResourceDefinitions name a
// JSONPath; a kind without columns shows its name and creation time.
import type { Column, Kind } from "../../kinds/kind.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { age } from "../../lib/human-duration.ts";
import { jsonPath } from "../../lib/json-path.ts";

type Cell = string | number | boolean | null;

const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
  jsonPath: ".metadata.name",
};

const ageColumn: Column = {
  name: "Age",
  type: "date",
  description: "CreationTimestamp is the server time when this object was created.",
  priority: 0,
  jsonPath: ".metadata.creationTimestamp",
};

/** The columns of a kind: the name first, whatever the kind says. */
export function columnsOf(kind: Kind): Column[] {
  if (kind.columns.length === 0) return [nameColumn, ageColumn];
  return kind.columns.some(({ name }) => name === "Name")
    ? kind.columns
    : [nameColumn, ...kind.columns];
}

function convert(column: Column, value: unknown, now: number): Cell {
  if (value === undefined || value === null) return null;
  switch (column.type) {
    case "integer":
      return Number.isFinite(Number(value)) ? Math.trunc(Number(value)) : null;
    case "number":
      return Number.isFinite(Number(value)) ? Number(value) : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return age(String(value), now);
    case "string":
      return typeof value === "object" ? JSON.stringify(value) : String(value);
  }
}

function cellOf(column: Column, object: KubeObject, now: number): Cell {
  if (column.cell) return column.cell(object, now);
  const found = jsonPath(column.jsonPath ?? "", object);
  return convert(column, found[0], now);
}

export const cellsOf = (kind: Kind, object: KubeObject, now: number): Cell[] =>
  columnsOf(kind).map((column) => cellOf(column, object, now));
