// One object as an answer, in the form the caller accepts.
import { stringify } from "yaml";
import type { KubeObject } from "../kinds/object.ts";
import type { Call } from "./core.ts";
import { partialOf } from "./partial.ts";
import type { ApiResponse } from "./request.ts";
import { fromStored, shownBytes } from "./stored.ts";
import { tableOf } from "./table/table.ts";

export const contentTypes = { json: "application/json", yaml: "application/yaml" } as const;

/** Any decoded answer in the accepted format. */
export function respondWith(call: Call, code: number, object: object): ApiResponse {
  const answer = { code, warnings: call.warnings, object };
  if (call.accept.format !== "yaml") return answer;
  return {
    ...answer,
    headers: { "content-type": contentTypes.yaml },
    bytes: Buffer.from(stringify(object, { aliasDuplicateObjects: false })),
  };
}

/** The object in stored `bytes`. */
export function respondStored(call: Call, code: number, bytes: Uint8Array): ApiResponse {
  if (call.accept.as === "object" && call.accept.format === "json") {
    return { code, warnings: call.warnings, bytes: shownBytes(call.kind, bytes) };
  }
  return respondObject(call, code, fromStored(call.kind, bytes));
}

/** An object that is not stored: the result of a dry run, a review, a Scale. */
export function respondObject(call: Call, code: number, object: KubeObject): ApiResponse {
  switch (call.accept.as) {
    case "object":
      return respondWith(call, code, object);
    case "PartialObjectMetadata":
      return respondWith(call, code, partialOf(object, call.accept.version));
    case "Table":
      return respondWith(call, code, tableOf(call, [object], object.metadata));
  }
}
