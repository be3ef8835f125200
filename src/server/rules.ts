// What every write asks of its kind: decode the document against the schema, fill defaults, validate.
import type { Kind } from "../kinds/kind.ts";
import { apiVersionOf } from "../kinds/kind.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { isObject } from "../lib/json.ts";
import { badRequest, invalid } from "../lib/status-error.ts";
import type { Document } from "./body.ts";
import type { Call } from "./core.ts";

/** Checks that the document is of the kind its URL names; fills in apiVersion and kind when absent. */
export function typed(kind: Kind, value: unknown): Draft {
  if (!isObject(value)) {
    throw badRequest(`the request body must be an object of kind ${kind.kind}`);
  }
  const apiVersion = apiVersionOf(kind);
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
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
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

/** A request's document as an object of the call's kind: pruned, defaulted, its types right. */
export function decodeObject(call: Call, document: Document): KubeObject {
  const object = typed(call.kind, document.value);
  judgeFields(call, document.duplicates, []);
  return complete(call, object);
}

/** Fills defaults: the schema's, then the kind's own. */
export function complete(call: Call, object: Draft): KubeObject {
  call.kind.defaults?.(object);
  return object as KubeObject;
}

/** Throws Invalid with one cause per offending field. */
export function validate(call: Call, object: KubeObject, old: KubeObject | undefined) {
  const { kind, info } = call;
  const errors = kind.validate?.({
    object,
    ...(old && { old }),
    subresource: info.subresource,
  });
  if (errors && errors.length > 0) {
    throw invalid(kind.kind, kind.group, object.metadata.name ?? "", errors);
  }
}
