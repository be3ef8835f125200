// CustomResourceDefinitions as they are published, without their words for people: names, types, rules and columns.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const verbatim = ["enum", "default", "required"];

/** A property may be called `description`, so maps of them are entered apart. */
function bare(schema: any): any {
  if (Array.isArray(schema)) return schema.map(bare);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).flatMap(([key, value]: [string, any]) => {
    if (key === "description" || key === "message") return [];
    if (key === "properties") {
      const own = Object.entries(value).map(([name, one]) => [name, bare(one)]);
      return [[key, Object.fromEntries(own)]];
    }
    return [[key, verbatim.includes(key) ? value : bare(value)]];
  });
  return Object.fromEntries(entries);
}

/** Those of a folder whose plural names are `wanted`, with `versions` of what they serve. */
export function readDefinitions(
  directory: string | undefined,
  { wanted, versions }: { wanted: Set<string>; versions: "served" | "stored" },
) {
  if (!directory) throw new Error("which directory holds the definitions?");
  const found = readdirSync(directory)
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => parse(readFileSync(join(directory, name), "utf8")))
    .filter((crd) => crd?.kind === "CustomResourceDefinition" && wanted.has(crd.spec.names.plural));
  if (found.length !== wanted.size)
    throw new Error(`found ${found.length} of ${wanted.size} kinds`);
  return found.map((crd) => definitionOf(crd, versions));
}

function definitionOf({ metadata, spec }: any, which: "served" | "stored") {
  const { group, names, scope } = spec;
  const kept = spec.versions.filter(
    (one: any) => one.served && (which === "served" || one.storage),
  );
  const versions = kept.map(
    ({ name, served, storage, subresources, schema, additionalPrinterColumns }: any) => ({
      ...{ name, served, storage },
      ...(subresources && { subresources }),
      schema: bare(schema),
      ...(additionalPrinterColumns && {
        additionalPrinterColumns: additionalPrinterColumns.map(bare),
      }),
    }),
  );
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: metadata.name, annotations: metadata.annotations },
    spec: { group, names, scope, versions },
  };
}
