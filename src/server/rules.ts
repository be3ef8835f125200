// What every write asks of its kind: decode the document against the schema, fill defaults, validate.
import type { Kind } from "../kinds/kind.ts";
import { apiVersionOf } from "../kinds/kind.ts";
import type { Kinds } from "../kinds/kinds.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { resolve } from "../kinds/schema.ts";
import { conform, type WrongType } from "../kinds/schema/conform.ts";
import { validateSchema } from "../kinds/schema/validate-schema.ts";
import { isObject } from "../lib/json.ts";
import { badRequest, invalid } from "../lib/status-error.ts";
import type { Document } from "./body.ts";
import type { Call } from "./core.ts";
import type { AdmissionRequest } from "./policy.ts";
import { isCustom, rootSchema } from "./root-schema.ts";

/** Checks that the document is of the kind its URL names; fills in apiVersion and kind when absent. */
export function typed(kind: Kind, value: unknown): Draft {
  if (!isObject(value)) {
    throw badRequest(`the request body must be an object of kind ${kind.kind}`);
  }
  const apiVersion = apiVersionOf(kind);
  for (const field of ["apiVersion", "kind"]) {
    if (value[field] && typeof value[field] !== "string")
      throw badRequest(`${field} must be a string`);
  }
  if (value["apiVersion"] && value["apiVersion"] !== apiVersion) {
    throw badRequest(
      `the API version in the data (${value["apiVersion"]}) does not match the expected API version (${apiVersion})`,
    );
  }
  if (value["kind"] && value["kind"] !== kind.kind) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind.kind}): kind is ${value["kind"]}`,
    );
  }
  const { apiVersion: _, kind: __, metadata, ...rest } = value;
  if (metadata !== undefined && metadata !== null && !isObject(metadata)) {
    throw badRequest("metadata must be an object");
  }
  return { apiVersion, kind: kind.kind, metadata: { ...metadata }, ...rest };
}

/** Judges unknown and repeated fields by `fieldValidation`: refuse, warn, or drop them silently. */
function judgeFields(call: Call, duplicates: string[], unknown: string[]) {
  const problems = [
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...duplicates,
  ];
  if (problems.length === 0 || call.options.fieldValidation === "Ignore") return;
  if (call.options.fieldValidation === "Warn") {
    call.warnings.push(...problems);
    return;
  }
  const { kind, version } = call.kind;
  throw badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${problems.join(", ")}`,
  );
}

/** A value that its kind's Go type could not hold, in the words of Go's decoder. */
function wrongType({ kind, version }: Kind, { found, struct, path, wanted, why }: WrongType) {
  const type = `json: cannot unmarshal ${found} into Go struct field ${struct}.${path} of type ${wanted}`;
  return badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: ${why ?? type}`,
  );
}

/**
 * A request's document as an object of the call's kind: pruned, defaulted, its types right. Wrong types in
 * custom objects are left to `validate`, which names all of them.
 */
export function decodeObject(call: Call, document: Document): KubeObject {
  const { object, unknown } = decodeAs(call.kind, call.core.kinds, document.value);
  judgeFields(call, document.duplicates, unknown);
  return complete(call, object);
}

/** A value as an object of `kind`, without the fields that it does not know, which are told. */
export function decodeAs(kind: Kind, kinds: Kinds, value: unknown) {
  const object = typed(kind, value);
  const { unknown, wrong } = conform(object, rootSchema(kind, kinds), kinds.definition);
  const [first] = wrong;
  if (first && !isCustom(kind)) throw wrongType(kind, first);
  return { object, unknown };
}

/** Fills the defaults that no schema can express. A spec is there, whatever it holds. */
export function complete({ kind, core }: Call, object: Draft): KubeObject {
  const schema = resolve(rootSchema(kind, core.kinds), core.kinds.definition);
  if (!isCustom(kind) && schema.properties?.["spec"]) object["spec"] ??= {};
  kind.defaults?.(object);
  return object as KubeObject;
}

/** Throws Invalid with one cause per offending field. The request is about `object`. */
export async function validate(call: Call, request: AdmissionRequest) {
  const { kind, info, core } = call;
  const { old } = request;
  const object = request.object!;
  const change = { object, ...(old && { old }), subresource: info.subresource };
  const errors = isCustom(kind)
    ? validateSchema(object, rootSchema(kind, core.kinds), core.kinds.definition)
    : [];
  // Rules of a CRD may rely on what its schema promises.
  if (errors.length === 0 || !isCustom(kind)) errors.push(...(kind.validate?.(change) ?? []));
  for (const plugin of core.admission) {
    const found = plugin.judge?.(request);
    if (found) errors.push(...(await found));
  }
  if (errors.length === 0) return;
  throw invalid(kind.kind, kind.group, object.metadata.name ?? "", errors);
}
