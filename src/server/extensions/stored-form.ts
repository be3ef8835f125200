// How a version of a definition reads objects from the store: each is first made to conform to the schema
// of the version it lies at, then converted, then made to conform to the schema of the version asked for,
// so that fields added with a default show in objects that are older than they.
import type { Kind, StoredForm } from "../../kinds/kind.ts";
import { apiVersionOf } from "../../kinds/kind.ts";
import type { Kinds } from "../../kinds/kinds.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { conform } from "../../kinds/schema/conform.ts";
import type { Schema } from "../../kinds/schema.ts";
import { rootSchema } from "../root-schema.ts";
import type { Convert } from "./conversion.ts";
import type { Crd } from "./crd.ts";
import { schemaOfVersion } from "./crd-to-kinds.ts";

export interface StoredFormOptions {
  kinds: Kinds;
  convert: Convert;
}

/** The kinds of `crd`, with what it takes to read their stored objects. */
export function withStoredForms(crd: Crd, own: Kind[], options: StoredFormOptions): Kind[] {
  const { kinds, convert } = options;
  const { group, versions, conversion } = crd.spec;
  const schemas = new Map<string, Schema>(
    versions.map((version) => [
      apiVersionOf({ group, version: version.name }),
      schemaOfVersion(version),
    ]),
  );
  const complete = (object: KubeObject, apiVersion: string) => {
    const schema = schemas.get(apiVersion);
    if (schema) conform(object, rootSchema({ ...own[0]!, schema }, kinds), kinds.definition);
    return object;
  };
  const asked: StoredForm["convert"] = (objects, apiVersion) =>
    convert(
      crd,
      objects.map((one) => complete(one, one.apiVersion)),
      apiVersion,
    ).then((converted) => converted.map((one) => complete(one, apiVersion)));
  return own.map((kind) => {
    const apiVersion = apiVersionOf(kind);
    const storedForm: StoredForm = {
      completeAfter: Number(crd.metadata.resourceVersion),
      read: (object) => {
        if (object.apiVersion === apiVersion) return complete(object, apiVersion);
        complete(object, object.apiVersion);
        object.apiVersion = apiVersion;
        return complete(object, apiVersion);
      },
      ...(conversion?.strategy === "Webhook" && { convert: asked }),
    };
    return { ...kind, storedForm };
  });
}
