// The definitions a set of kinds leads to. Kinds of CustomResourceDefinitions, whose schema is inline, get
// a name made of their group.
import { apiVersionOf, type Kind } from "../../kinds/kind.ts";
import type { Kinds } from "../../kinds/kinds.ts";
import type { Schema } from "../../kinds/schema.ts";
import { rootSchema } from "../root-schema.ts";
import { isOpenRoot } from "./for-kubectl.ts";
import { describeObjectMeta } from "./object-meta.ts";
import { printSchema, refOf, refsOf, type Dialect, type Printed } from "./print-schema.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";

/** `io.k8s.api.apps.v1.Deployment`, `com.example.stable.v1.CronTab`. */
export function definitionName(kind: Kind): string {
  if (kind.schema.ref) return kind.schema.ref;
  return [...kind.group.split(".").reverse(), kind.version, kind.kind].join(".");
}

const listName = (kind: Kind) => definitionName(kind).replace(/[^.]+$/, kind.listKind);

const gvkOf = (kind: Kind, name: string) => ({
  "x-kubernetes-group-version-kind": [{ group: kind.group, version: kind.version, kind: name }],
});

const listSchema = (kind: Kind): Schema => ({
  type: "object",
  required: ["items"],
  properties: {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { ref: `${meta}.ListMeta` },
    items: { type: "array", items: { ref: definitionName(kind) } },
  },
});

/** Everything `kinds` lead to, printed, by name. */
export function definitionsFor(kinds: Kind[], all: Kinds, dialect: Dialect) {
  const printed: Record<string, Printed> = {};
  const waiting = new Set([
    `${meta}.DeleteOptions`,
    `${meta}.Status`,
    `${meta}.ListMeta`,
    `${meta}.ObjectMeta`,
  ]);
  for (const kind of kinds) {
    if (kind.schema.ref) waiting.add(kind.schema.ref);
    else {
      const open = dialect === "v2" && isOpenRoot(kind.schema);
      const schema = open ? { type: "object" as const } : rootSchema(kind, all);
      refsOf(schema, waiting);
      printed[definitionName(kind)] = {
        ...printSchema(schema, dialect),
        ...gvkOf(kind, kind.kind),
      };
    }
    if (kind.verbs.includes("list")) {
      printed[listName(kind)] = {
        ...printSchema(listSchema(kind), dialect),
        ...gvkOf(kind, kind.listKind),
      };
    }
  }
  for (const name of waiting) {
    if (printed[name]) continue;
    const found = all.definition(name);
    const schema = name === `${meta}.ObjectMeta` ? describeObjectMeta(found) : found;
    refsOf(schema, waiting);
    const gvk = all.kindOfDefinition(name);
    printed[name] = {
      ...printSchema(schema, dialect),
      ...(gvk && { "x-kubernetes-group-version-kind": [gvk] }),
    };
  }
  return Object.fromEntries(Object.entries(printed).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const objectRef = (kind: Kind, dialect: Dialect) => refOf(definitionName(kind), dialect);
export const listRef = (kind: Kind, dialect: Dialect) => refOf(listName(kind), dialect);
export const deleteOptionsRef = (dialect: Dialect) => refOf(`${meta}.DeleteOptions`, dialect);
export const statusRef = (dialect: Dialect) => refOf(`${meta}.Status`, dialect);

export const rootOf = (kind: Kind) =>
  kind.group ? `/apis/${apiVersionOf(kind)}` : `/api/${kind.version}`;
