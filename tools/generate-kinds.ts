// Derives src/kinds/data/ from a published OpenAPI v2 document of Kubernetes: names, types, keys and
// resources of every stable kind, without a sentence of its text.
//
//   node tools/generate-kinds.ts path/to/swagger.json
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Any = Record<string, any>;
const swagger = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
const definitions: Any = swagger.definitions;
const prefix = "#/definitions/";
const stable = (version: string) => /^v\d+$/.test(version);

/** Keys that the published document leaves out and that merging lists needs. */
const listKeyDefaults: Any = {
  "io.k8s.api.core.v1.ContainerPort": { protocol: "TCP" },
  "io.k8s.api.core.v1.ServicePort": { protocol: "TCP" },
};

function schemaOf(source: Any): Any {
  const schema: Any = {};
  for (const [key, value] of Object.entries(source)) {
    if (key === "$ref") schema["ref"] = value.slice(prefix.length);
    else if (key === "items") schema["items"] = schemaOf(value);
    else if (key === "additionalProperties") schema[key] = schemaOf(value);
    else if (key === "properties") {
      schema[key] = Object.fromEntries(
        Object.entries(value as Any).map(([n, p]) => [n, schemaOf(p)]),
      );
    } else if (key !== "description" && key !== "x-kubernetes-group-version-kind")
      schema[key] = value;
  }
  return schema;
}

/** Definitions that say less than they mean. */
function definitionOf(name: string): Any {
  const schema = schemaOf(definitions[name]);
  if (name.endsWith(".intstr.IntOrString")) return { "x-kubernetes-int-or-string": true };
  if (name.endsWith(".resource.Quantity"))
    return { type: "string", format: "quantity", "x-kubernetes-int-or-string": true };
  if (/\.(RawExtension|FieldsV1)$/.test(name))
    return { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  if (/\.v1\.JSON$|JSONSchemaPropsOr|\.v1\.Patch$/.test(name))
    return { "x-kubernetes-preserve-unknown-fields": true };
  for (const [field, value] of Object.entries(listKeyDefaults[name] ?? {}))
    schema["properties"][field].default = value;
  return schema;
}

interface Resource {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  namespaced: boolean;
  verbs: string[];
  subresources: string[];
}

const resources = new Map<string, Resource>();
const subresourceKinds: Any = {};
const pattern =
  /^\/(?:api|apis\/([^/]+))\/([^/]+)\/(namespaces\/\{namespace\}\/)?([^/{]+)(\/\{name\})?(?:\/([^/{]+))?$/;
const verbNames: Any = {
  post: "create",
  put: "update",
  get: "get",
  list: "list",
  patch: "patch",
  delete: "delete",
  deletecollection: "deletecollection",
};

for (const [path, item] of Object.entries(swagger.paths as Any)) {
  const match = pattern.exec(path);
  if (!match || !stable(match[2]!)) continue;
  const [, group = "", version, namespaced, plural, named, subresource] = match;
  const actions = Object.values(item as Any).filter((o) => o["x-kubernetes-action"]);
  if (actions.length === 0 || (subresource && !named)) continue;
  const key = `${group}/${version}/${plural}`;
  if (subresource) {
    resources.get(key)?.subresources.push(subresource);
    const gvk = actions[0]["x-kubernetes-group-version-kind"];
    subresourceKinds[`${key}/${subresource}`] = gvk;
    continue;
  }
  const gvk = actions[0]["x-kubernetes-group-version-kind"];
  const resource: Resource = resources.get(key) ?? {
    group,
    version: version!,
    kind: gvk.kind,
    plural: plural!,
    singular: gvk.kind.toLowerCase(),
    namespaced: false,
    verbs: [],
    subresources: [],
  };
  if (namespaced) resource.namespaced = true;
  for (const { "x-kubernetes-action": action } of actions) {
    const verb = verbNames[action];
    if (verb && !resource.verbs.includes(verb)) resource.verbs.push(verb);
    if (verb === "list" && !resource.verbs.includes("watch")) resource.verbs.push("watch");
  }
  resources.set(key, resource);
}
// Paths come sorted, and a subresource may be listed before the path that shows its parent.
for (const key of Object.keys(subresourceKinds)) {
  const [parent, subresource] = [
    key.slice(0, key.lastIndexOf("/")),
    key.slice(key.lastIndexOf("/") + 1),
  ];
  const resource = resources.get(parent);
  if (resource && !resource.subresources.includes(subresource))
    resource.subresources.push(subresource);
}

const nameOfKind = new Map<string, string>();
for (const [name, definition] of Object.entries(definitions)) {
  const gvks = definition["x-kubernetes-group-version-kind"] ?? [];
  if (gvks.length === 1)
    nameOfKind.set(`${gvks[0].group}/${gvks[0].version}/${gvks[0].kind}`, name);
}

/** Everything reachable from `names`. */
function closure(names: string[]): Set<string> {
  const seen = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name) || !definitions[name]) return;
    seen.add(name);
    for (const [, ref] of JSON.stringify(definitions[name]).matchAll(/"#\/definitions\/([^"]+)"/g))
      visit(ref!);
  };
  names.forEach(visit);
  return seen;
}

const output = join(import.meta.dirname, "../src/kinds/data");
rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
const roots: string[] = [
  "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
  "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
  "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
  "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
  "io.k8s.apimachinery.pkg.version.Info",
  "io.k8s.api.autoscaling.v1.Scale",
];
const groups = new Map<string, Resource[]>();
for (const resource of resources.values()) {
  const kind = nameOfKind.get(`${resource.group}/${resource.version}/${resource.kind}`);
  const list = nameOfKind.get(`${resource.group}/${resource.version}/${resource.kind}List`);
  roots.push(...[kind, list].filter((name) => name !== undefined));
  groups.set(resource.group, [...(groups.get(resource.group) ?? []), resource]);
}
for (const gvk of Object.values(subresourceKinds)) {
  const name = nameOfKind.get(`${gvk.group}/${gvk.version}/${gvk.kind}`);
  if (name) roots.push(name);
}
const lines = (entries: [string, unknown][]) =>
  `{\n${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(",\n")}\n}\n`;
const sorted = [...closure(roots)].sort();
writeFileSync(
  join(output, "definitions.json"),
  lines(sorted.map((name) => [name, definitionOf(name)])),
);
const kindEntries = [...nameOfKind]
  .filter(([, name]) => sorted.includes(name))
  .map(([gvk, name]): [string, string] => [name, gvk]);
writeFileSync(
  join(output, "kinds.json"),
  lines(kindEntries.sort((a, b) => (a[0] < b[0] ? -1 : 1))),
);
writeFileSync(
  join(output, "resources.json"),
  lines([...resources.values()].map((r) => [`${r.group}/${r.version}/${r.plural}`, r])),
);
console.log(`${resources.size} resources in ${groups.size} groups, ${sorted.length} definitions`);
