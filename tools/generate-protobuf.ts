// Derives src/server/protobuf/messages.json from Kubernetes' published protobuf and OpenAPI documents:
// the numbers and types of fields, nothing else.
//
//   node tools/generate-protobuf.ts path/to/protobuf path/to/swagger.json path/to/k8s.io/*
//
// The last are the sources of Kubernetes' Go modules: they tell which fields are no pointers, so that zero
// stands for "not set" there.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

type Any = Record<string, any>;
const [protobufs, swaggerFile, ...modules] = process.argv.slice(2) as [string, string, ...string[]];
const swagger = JSON.parse(readFileSync(swaggerFile, "utf8"));
const definitions: Any = swagger.definitions;

/** `k8s.io.api.core.v1.Pod` to the name OpenAPI knows it by, `io.k8s.api.core.v1.Pod`. */
const definitionName = (name: string) =>
  name.replace(/^\.?k8s\.io\./, "io.k8s.").replaceAll("_", "-");

const scalars: Any = {
  string: "s",
  bytes: "y",
  bool: "b",
  int32: "i",
  int64: "i",
  uint32: "i",
  uint64: "i",
  double: "d",
};

const all: Any = {};

function collect(node: Any, name: string, packageName: string) {
  if (node["fields"]) all[name] = { fields: node["fields"], packageName };
  for (const [key, child] of Object.entries((node["nested"] ?? {}) as Any)) {
    collect(child, name ? `${name}.${key}` : key, packageName);
  }
}

for (const file of readdirSync(protobufs, { recursive: true }) as string[]) {
  if (!file.endsWith("protobuf.json")) continue;
  const document = JSON.parse(readFileSync(join(protobufs, file), "utf8"));
  collect(document, "", document.package);
}

/** A list that Go names as a type of its own. */
const isWrapper = (name: string, fields: Any) =>
  Object.keys(fields).join() === "items" && !definitions[definitionName(name)];

function typeOf(type: string, packageName: string): string {
  if (scalars[type]) return scalars[type];
  const name = type.startsWith(".") ? type.slice(1) : `${packageName}.${type}`;
  if (!all[name]) throw new Error(`no message ${name}`);
  return isWrapper(name, all[name].fields) ? "*s" : definitionName(name);
}

/** `message/id` of fields that Go writes even when they are zero, which JSON then leaves out. */
const zeroUnset = new Set<string>();

const structHead = /^type (\w+) struct \{/;
const taggedField = /^\t\w+\s+(\S+)\s+`.*json:"[^"]*,omitempty.*protobuf:"\w+,(\d+),(?:opt|rep)/;

function readStructs(file: string, messagePrefix: string) {
  let struct = "";
  for (const line of readFileSync(file, "utf8").split("\n")) {
    struct = structHead.exec(line)?.[1] ?? struct;
    const [, type, id] = taggedField.exec(line) ?? [];
    if (type && !/^[*[]|^map\b/.test(type)) zeroUnset.add(`${messagePrefix}.${struct}/${id}`);
  }
}

for (const directory of modules) {
  const root = `io.k8s.${basename(directory).replace(/@.*/, "")}`;
  for (const file of readdirSync(directory, { recursive: true }) as string[]) {
    if (!/(^|\/)types\w*\.go$/.test(file)) continue;
    const place = file.split("/").slice(0, -1);
    readStructs(join(directory, file), [root, ...place].join("."));
  }
}

const plain = (name: string) => name.replaceAll(/[^A-Za-z0-9]/g, "").toLowerCase();

/** JSON knows some fields by another spelling: `$ref`, `x-kubernetes-int-or-string`, `webhooks`. */
function jsonName(field: string, known: Any | undefined): string {
  if (!known || known[field]) return field;
  return Object.keys(known).find((name) => plain(name) === plain(field)) ?? field;
}

const messages: Any = {};
for (const [name, { fields, packageName }] of Object.entries(all)) {
  if (isWrapper(name, fields)) continue;
  const known = definitions[definitionName(name)]?.properties;
  messages[definitionName(name)] = Object.fromEntries(
    Object.entries(fields as Any).map(([protoName, { id, rule, keyType, type }]) => {
      const field = jsonName(protoName, known);
      const inner = typeOf(type, packageName);
      if (inner === "*s" && !keyType) return [id, [field, "wrapped"]];
      if (keyType) return [id, [field, inner === "*s" ? "wrapped" : inner, "map"]];
      if (rule === "repeated") return [id, [field, inner, "list"]];
      // Embedded structs: their fields stand in the object itself.
      const embedded = known && !known[field] && inner.startsWith("io.");
      if (embedded) return [id, [field, inner, "inline"]];
      const plainScalar = inner.length === 1 && zeroUnset.has(`${definitionName(name)}/${id}`);
      return [id, plainScalar ? [field, inner, "plain"] : [field, inner]];
    }),
  );
}

const kinds: Record<string, string> = {};
for (const [name, definition] of Object.entries(definitions)) {
  for (const { group, version, kind } of definition["x-kubernetes-group-version-kind"] ?? []) {
    if (messages[name]) kinds[`${group ? `${group}/` : ""}${version}/${kind}`] = name;
  }
}

const metaV1 = "io.k8s.apimachinery.pkg.apis.meta.v1";
for (const kind of ["PartialObjectMetadata", "PartialObjectMetadataList"]) {
  for (const version of ["v1", "v1beta1"]) {
    kinds[`meta.k8s.io/${version}/${kind}`] = `${metaV1}.${kind}`;
  }
}

/** Only what a kind leads to. */
const used = new Set<string>();
function reach(name: string) {
  if (used.has(name)) return;
  used.add(name);
  for (const [, type] of Object.values(messages[name] as Record<string, string[]>)) {
    if (type!.startsWith("io.")) reach(type!);
  }
}
for (const name of Object.values(kinds)) reach(name);

const lines = [...used]
  .sort()
  .map((name) => `${JSON.stringify(name)}:${JSON.stringify(messages[name])}`);
writeFileSync(
  join(import.meta.dirname, "../src/server/protobuf/messages.json"),
  `{"kinds":${JSON.stringify(kinds)},"messages":{\n${lines.join(",\n")}}}\n`,
);
