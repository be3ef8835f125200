// node tools/generate-hub-kinds.ts DIRECTORY: derives src/hub/kinds/data/definitions.json from published
// CustomResourceDefinitions of Open Cluster Management: names, types, rules and columns, no prose.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const wanted = new Set(
  (
    "managedclusters managedclustersets managedclustersetbindings clusterclaims placements " +
    "placementdecisions addonplacementscores manifestworks appliedmanifestworks manifestworkreplicasets"
  ).split(" "),
);

/** A schema without words for people. A property may be called `description`, so maps of them are entered apart. */
function bare(schema: any): any {
  if (Array.isArray(schema)) return schema.map(bare);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).flatMap(([key, value]: [string, any]) => {
    if (key === "description" || key === "message") return [];
    if (key === "properties") {
      return [
        [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, bare(one)]))],
      ];
    }
    return [[key, ["enum", "default", "required"].includes(key) ? value : bare(value)]];
  });
  return Object.fromEntries(entries);
}

function definitionOf(crd: any) {
  const { group, names, scope, versions } = crd.spec;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: crd.metadata.name },
    spec: {
      group,
      names,
      scope,
      versions: versions
        .filter((one: any) => one.served)
        .map(({ name, served, storage, subresources, schema, additionalPrinterColumns }: any) => ({
          name,
          served,
          storage,
          ...(subresources && { subresources }),
          schema: bare(schema),
          ...(additionalPrinterColumns && {
            additionalPrinterColumns: additionalPrinterColumns.map(bare),
          }),
        })),
    },
  };
}

const [directory] = process.argv.slice(2);
if (!directory) throw new Error("which directory holds the definitions?");
const found = readdirSync(directory)
  .filter((name) => name.endsWith(".crd.yaml"))
  .sort()
  .map((name) => parse(readFileSync(join(directory, name), "utf8")))
  .filter((crd) => wanted.has(crd.spec.names.plural));
if (found.length !== wanted.size) throw new Error(`found ${found.length} of ${wanted.size} kinds`);
const out = join(import.meta.dirname, "../src/hub/kinds/data/definitions.json");
writeFileSync(out, `${JSON.stringify(found.map(definitionOf), null, 1)}\n`);
console.log(`${found.length} definitions`);
