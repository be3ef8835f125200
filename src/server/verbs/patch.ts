// PATCH: JSON patch, merge patch, strategic merge patch and server-side apply.
import { StatusError } from "../../lib/status-error.ts";
import { mediaTypeOf, readDocument, type Document } from "../body.ts";
import type { Call } from "../core.ts";
import type { ApiResponse } from "../request.ts";
import type { Compute } from "./modify.ts";
import { modify } from "./modify.ts";
import { respondModified } from "./update.ts";
import { typed } from "../rules.ts";

const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];

/** How a patch of this media type changes an object. */
function computeOf(call: Call, mediaType: string, document: Document): Compute {
  throw new StatusError("NotImplemented", `${mediaType} of ${call.kind.kind} ${document.duplicates}`);
}

export async function patch(call: Call): Promise<ApiResponse> {
  const mediaType = mediaTypeOf(call.request.headers);
  const document = readDocument(call.request, patchTypes);
  const compute = computeOf(call, mediaType, document);
  const modified = await modify(call, async (own, old) => {
    const patched = await compute(own, old);
    return typed(call.kind, patched) as typeof own;
  });
  return respondModified(call, modified);
}
