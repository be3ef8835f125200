// A CustomResourceDefinition as kinds, one for each version it serves. From here on the server
// tells them from built-in kinds in nothing. Pure.
import type { Column, Kind, Verb } from "../../kinds/kind.ts";
import type { Schema } from "../../kinds/schema.ts";
import { customMetadataErrors } from "../../kinds/validate-metadata.ts";
import { typeFields } from "../root-schema.ts";
import type { Crd, CrdVersion } from "./crd.ts";
import { compileRules, hasRules, ruleErrors, type RuleNode } from "./validation-rules.ts";

const metadataSchema: Schema = { ref: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" };

const verbs: Verb[] = [
  "create",
  "get",
  "list",
  "watch",
  "update",
  "patch",
  "delete",
  "deletecollection",
];

/**
 * The kinds that `crd`, which is valid, defines, under the names it has been accepted with. While
 * it is being deleted, no more objects are created.
 */
export function kindsOfCrd(crd: Crd): Kind[] {
  const storage = crd.spec.versions.find((version) => version.storage);
  return crd.spec.versions
    .filter((version) => version.served)
    .map((version) => kindOfVersion(crd, version, storage?.name ?? version.name));
}

function kindOfVersion(crd: Crd, version: CrdVersion, storageVersion: string): Kind {
  const { spec, metadata } = crd;
  const names = crd.status?.acceptedNames ?? spec.names;
  const { status, scale } = version.subresources ?? {};
  const kind: Kind = {
    group: spec.group,
    version: version.name,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: spec.scope === "Namespaced",
    verbs: metadata.deletionTimestamp ? verbs.filter((verb) => verb !== "create") : verbs,
    schema: schemaOfVersion(version),
    columns: columnsOfVersion(version),
    subresources: [...(status ? ["status"] : []), ...(scale ? ["scale"] : [])],
    storageVersion,
    ...(scale && { scale }),
  };
  const selectable = version.selectableFields?.map((field) => field.jsonPath.replace(/^\./, ""));
  if (selectable?.length) kind.selectableFields = selectable;
  kind.validate = validationOf(kind.schema);
  if (status) {
    kind.prepareForCreate = (object) => {
      delete object.status;
    };
  }
  return kind;
}

/** The rules of a schema are compiled when the first object comes. */
function validationOf(schema: Schema): NonNullable<Kind["validate"]> {
  if (!hasRules(schema)) return customMetadataErrors;
  let rules: RuleNode | undefined;
  return (change) => {
    // What does not compile was refused with its definition.
    rules ??= compileRules(schema, "", () => {});
    const { object, old } = change;
    return [...customMetadataErrors(change), ...(rules ? ruleErrors(rules, object, old) : [])];
  };
}

const columnsOfVersion = (version: CrdVersion): Column[] =>
  (version.additionalPrinterColumns ?? []).map((column) => ({
    ...column,
    priority: column.priority ?? 0,
  }));

/** The published schema: what every object has stands in it too. */
export const rootSchema = (schema: Schema): Schema => ({
  ...withEmbedded(schema),
  type: "object",
  properties: {
    ...mapSchemas(schema.properties),
    ...typeFields,
    metadata: metadataSchema,
  },
});

const mapSchemas = (schemas: Record<string, Schema> | undefined) =>
  Object.fromEntries(
    Object.entries(schemas ?? {}).map(([name, schema]) => [name, withEmbedded(schema)]),
  );

/** Objects embedded in fields have a kind and metadata as well. */
function withEmbedded(schema: Schema): Schema {
  const { properties, items, additionalProperties } = schema;
  const out = { ...schema };
  if (properties) out.properties = mapSchemas(properties);
  if (items) out.items = withEmbedded(items);
  if (typeof additionalProperties === "object") {
    out.additionalProperties = withEmbedded(additionalProperties);
  }
  if (!schema["x-kubernetes-embedded-resource"]) return out;
  out.properties = {
    ...out.properties,
    ...typeFields,
    metadata: metadataSchema,
  };
  out.required = [...new Set([...(schema.required ?? []), "apiVersion", "kind"])];
  return out;
}

/** One and the same for the same version, since what is made of a schema is remembered by it. */
export function schemaOfVersion(version: CrdVersion): Schema {
  let schema = schemas.get(version);
  if (!schema) schemas.set(version, (schema = rootSchema(version.schema?.openAPIV3Schema ?? {})));
  return schema;
}
const schemas = new WeakMap<CrdVersion, Schema>();
