// node tools/generate-gateway-kinds.ts DIRECTORY: derives src/ingress/kinds/data/definitions.json from published
// CustomResourceDefinitions of Gateway API (its standard channel): names, types, rules and columns, no prose.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const wanted = new Set(["gatewayclasses", "gateways", "httproutes", "referencegrants"]);

/** A schema without words for people. A property may be called `description`, so maps of them are entered apart. */
function bare(schema: any): any {
  if (Array.isArray(schema)) return schema.map(bare);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).flatMap(([key, value]: [string, any]) => {
    if (key === "description" || key === "message") return [];
    if (key === "properties") {
      const own = Object.entries(value).map(([name, one]) => [name, bare(one)]);
      return [[key, Object.fromEntries(own)]];
    }
    return [[key, ["enum", "default", "required"].includes(key) ? value : bare(value)]];
  });
  return Object.fromEntries(entries);
}

/** Stored versions alone: older names of the same thing are for clients that newer ones have replaced. */
function definitionOf({ metadata, spec }: any) {
  const { group, names, scope, versions } = spec;
  const kept = versions.filter((one: any) => one.served && one.storage);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: metadata.name,
      annotations: {
        // Names of this group are kept for what the community has approved.
        "api-approved.kubernetes.io": metadata.annotations["api-approved.kubernetes.io"],
        "gateway.networking.k8s.io/bundle-version":
          metadata.annotations["gateway.networking.k8s.io/bundle-version"],
        "gateway.networking.k8s.io/channel": "standard",
      },
    },
    spec: {
      group,
      names,
      scope,
      versions: kept.map(({ name, subresources, schema, additionalPrinterColumns }: any) => ({
        name,
        served: true,
        storage: true,
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
  .filter((name) => name.endsWith(".yaml"))
  .sort()
  .map((name) => parse(readFileSync(join(directory, name), "utf8")))
  .filter((crd) => crd.kind === "CustomResourceDefinition" && wanted.has(crd.spec.names.plural));
if (found.length !== wanted.size) throw new Error(`found ${found.length} of ${wanted.size} kinds`);
const out = join(import.meta.dirname, "../src/ingress/kinds/data/definitions.json");
writeFileSync(out, `${JSON.stringify(found.map(definitionOf))}\n`);
console.log(`${found.length} definitions`);
