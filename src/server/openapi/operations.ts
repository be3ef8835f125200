// The paths of a kind with their operations, as OpenAPI v2 or v3 prints them.
import type { Kind, Verb } from "../../kinds/kind.ts";
import { isCustom } from "../root-schema.ts";
import { isPart } from "../parts.ts";
import type { Dialect, Printed } from "./print-schema.ts";
import { deleteOptionsRef, listRef, objectRef, rootOf, statusRef } from "./schemas.ts";

interface Operation {
  method: string;
  verb: Verb;
  /** What `x-kubernetes-action` says. */
  action: string;
}

const collectionOperations: Operation[] = [
  { method: "get", verb: "list", action: "list" },
  { method: "post", verb: "create", action: "post" },
  { method: "delete", verb: "deletecollection", action: "deletecollection" },
];

const objectOperations: Operation[] = [
  { method: "get", verb: "get", action: "get" },
  { method: "put", verb: "update", action: "put" },
  { method: "patch", verb: "patch", action: "patch" },
  { method: "delete", verb: "delete", action: "delete" },
];

const types: Record<string, "string" | "integer" | "boolean"> = {
  pretty: "string",
  dryRun: "string",
  fieldManager: "string",
  fieldValidation: "string",
  force: "boolean",
  labelSelector: "string",
  fieldSelector: "string",
  limit: "integer",
  continue: "string",
  resourceVersion: "string",
  resourceVersionMatch: "string",
  sendInitialEvents: "boolean",
  allowWatchBookmarks: "boolean",
  timeoutSeconds: "integer",
  watch: "boolean",
  gracePeriodSeconds: "integer",
  orphanDependents: "boolean",
  propagationPolicy: "string",
};

const writing = ["pretty", "dryRun", "fieldManager", "fieldValidation"];
const listing = [
  "pretty",
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
  "watch",
];
const deleting = [
  "pretty",
  "dryRun",
  "gracePeriodSeconds",
  "orphanDependents",
  "propagationPolicy",
];

const parametersOf: Partial<Record<Verb, string[]>> = {
  list: listing,
  get: ["pretty"],
  create: writing,
  update: writing,
  patch: [...writing, "force"],
  delete: deleting,
  deletecollection: [...deleting, ...listing.slice(2)],
};

function queryParameter(name: string, dialect: Dialect): Printed {
  const type = types[name]!;
  const shape =
    dialect === "v2" ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } };
  return { name, in: "query", ...shape };
}

const pathParameter = (name: string, dialect: Dialect): Printed => ({
  name,
  in: "path",
  required: true,
  ...(dialect === "v2"
    ? { type: "string", uniqueItems: true }
    : { schema: { type: "string", uniqueItems: true } }),
});

const patchTypes = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
];

/** By this kubectl knows how to apply: custom kinds have no strategic merge. */
const patchTypesOf = (kind: Kind) =>
  isCustom(kind) ? patchTypes : [...patchTypes, "application/strategic-merge-patch+json"];

const bodyTypes = ["application/json", "application/yaml"];

function bodySchema(kind: Kind, verb: Verb, dialect: Dialect): Printed | undefined {
  if (verb === "create" || verb === "update") return objectRef(kind, dialect);
  if (verb === "patch") return { type: "object" };
  if (verb === "delete" || verb === "deletecollection") return deleteOptionsRef(dialect);
  return undefined;
}

function body(kind: Kind, verb: Verb, dialect: Dialect): Printed {
  const schema = bodySchema(kind, verb, dialect);
  if (!schema) return {};
  const consumes = verb === "patch" ? patchTypesOf(kind) : bodyTypes;
  const required = verb !== "delete" && verb !== "deletecollection";
  if (dialect === "v2") return { consumes, body: { name: "body", in: "body", required, schema } };
  const content = Object.fromEntries(consumes.map((type) => [type, { schema }]));
  return { requestBody: { content, ...(required && { required }) } };
}

function responses(kind: Kind, verb: Verb, dialect: Dialect): Printed {
  const schema =
    verb === "list"
      ? listRef(kind, dialect)
      : verb.startsWith("delete")
        ? statusRef(dialect)
        : objectRef(kind, dialect);
  const ok =
    dialect === "v2"
      ? { description: "OK", schema }
      : { description: "OK", content: { "application/json": { schema } } };
  return { "200": ok, ...(verb === "create" && { "201": { ...ok, description: "Created" } }) };
}

function operation(kind: Kind, { verb, action }: Operation, id: string, dialect: Dialect): Printed {
  const { body: bodyParameter, ...rest } = body(kind, verb, dialect);
  const query = (parametersOf[verb] ?? []).map((name) => queryParameter(name, dialect));
  const { group, version, kind: name } = kind;
  return {
    operationId: `${id}${kind.kind}`,
    ...(dialect === "v2" && { produces: bodyTypes, schemes: ["https"] }),
    ...rest,
    parameters: bodyParameter ? [bodyParameter, ...query] : query,
    responses: responses(kind, verb, dialect),
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group, version, kind: name },
  };
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function pathItem(kind: Kind, path: string, operations: Operation[], dialect: Dialect, id: string) {
  const item: Printed = {};
  for (const one of operations) {
    if (!kind.verbs.includes(one.verb)) continue;
    item[one.method] = operation(kind, one, `${one.verb}${id}`, dialect);
  }
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  if (names.length > 0) item["parameters"] = names.map((name) => pathParameter(name, dialect));
  return item;
}

/** The paths of a kind. */
export function pathsOf(kind: Kind, dialect: Dialect): Record<string, Printed> {
  const root = rootOf(kind);
  const place = kind.namespaced
    ? `${root}/namespaces/{namespace}/${kind.plural}`
    : `${root}/${kind.plural}`;
  const id = `${capital(kind.group.split(".")[0] || "core")}${capital(kind.version)}${kind.namespaced ? "Namespaced" : ""}`;
  const paths: Record<string, Printed> = {
    [place]: pathItem(kind, place, collectionOperations, dialect, id),
  };
  if (kind.virtual) return paths;
  const one = `${place}/{name}`;
  paths[one] = pathItem(kind, one, objectOperations, dialect, id);
  for (const subresource of kind.subresources) {
    if (!isPart(kind, subresource)) continue;
    const path = `${one}/${subresource}`;
    const operations = objectOperations.filter(({ verb }) => verb !== "delete");
    paths[path] = pathItem(kind, path, operations, dialect, `${id}${capital(subresource)}`);
  }
  if (kind.namespaced && kind.verbs.includes("list")) {
    const path = `${root}/${kind.plural}`;
    const lists = collectionOperations.filter(({ verb }) => verb === "list");
    paths[path] = pathItem(kind, path, lists, dialect, `${id}ForAllNamespaces`);
  }
  return paths;
}
