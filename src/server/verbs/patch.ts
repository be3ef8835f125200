// PATCH: JSON patch, merge patch, strategic merge patch and server-side apply. Each is a pure function of
// the present document; `modify` does the rest, as for any change.
import { timestamp } from "../../lib/clock.ts";
import { isObject } from "../../lib/json.ts";
import { badRequest, isStatus, StatusError } from "../../lib/status-error.ts";
import type { Kind } from "../../kinds/kind.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { applyObject } from "../apply/apply.ts";
import { mediaTypeOf, readDocument, type Document } from "../body.ts";
import type { Call } from "../core.ts";
import { jsonPatch } from "../../lib/patch/json-patch.ts";
import { mergePatch } from "../../lib/patch/merge-patch.ts";
import { strategicMergePatch } from "../patch/strategic-merge-patch.ts";
import type { ApiResponse } from "../request.ts";
import { isCustom } from "../root-schema.ts";
import { decodeObject, typed } from "../rules.ts";
import { createObject } from "./create.ts";
import { modify } from "./modify.ts";
import { respondModified } from "./update.ts";

const jsonType = "application/json-patch+json";
const mergeType = "application/merge-patch+json";
const strategicType = "application/strategic-merge-patch+json";
const applyType = "application/apply-patch+yaml";

/** Custom kinds take no strategic merge patch. */
function acceptedTypes(call: Call) {
  return isCustom(call.kind)
    ? [jsonType, mergeType, applyType]
    : [jsonType, mergeType, strategicType, applyType];
}

/** Built-in objects always have a status to others, though an empty one is not stored. */
const withStatus = (kind: Kind, present: object) =>
  kind.subresources.includes("status") && !isCustom(kind) ? { status: {}, ...present } : present;

function patched(call: Call, mediaType: string, present: object, patch: any): any {
  const { kind, core } = call;
  if (mediaType === jsonType) return jsonPatch(withStatus(kind, present), patch);
  if (!isObject(patch)) throw badRequest("the patch must be an object");
  if (mediaType === mergeType) return mergePatch(present, patch);
  return strategicMergePatch(present, patch, kind.schema, core.kinds.definition);
}

/** `present` with the call's patch, without the rules of any kind; for documents such as a Scale. */
export function patchDocument(call: Call, present: KubeObject): any {
  const mediaType = mediaTypeOf(call.request.headers);
  const { value } = readDocument(call.request, [jsonType, mergeType, strategicType, applyType]);
  // A Scale has no lists: all the other forms are merge patches to it.
  const plain = mediaType === jsonType ? jsonType : mergeType;
  return patched(call, plain, present, value);
}

function applied(call: Call, document: Document, live: KubeObject | undefined): KubeObject {
  const { kind, core, info, options, request } = call;
  const config = typed(kind, document.value);
  const result = applyObject({
    kind,
    definitions: core.kinds.definition,
    ...(live && { live }),
    config,
    manager: request.query.get("fieldManager") ?? undefined,
    force: options.force,
    subresource: info.subresource,
    time: timestamp(core.clock.now()),
  });
  return result;
}

/** Apply creates what is not there. */
async function apply(call: Call, document: Document): Promise<ApiResponse> {
  const config = typed(call.kind, document.value);
  if (config.metadata?.name !== undefined && config.metadata.name !== call.info.name) {
    throw badRequest(
      `metadata.name (${config.metadata.name}) must match the name on the URL (${call.info.name})`,
    );
  }
  call.applying = true;
  try {
    const modified = await modify(call, (_own, old) =>
      structuredClone(decodeObject(call, { ...document, value: applied(call, document, old) })),
    );
    return respondModified(call, modified);
  } catch (error) {
    const creates = isStatus(error, "NotFound") && call.info.subresource === "";
    if (!creates || error.details?.name !== call.info.name || config.metadata?.uid) throw error;
  }
  const fresh = applied(call, document, undefined);
  fresh.metadata = { ...fresh.metadata, name: call.info.name! };
  return createObject(call, decodeObject(call, { ...document, value: fresh }));
}

export async function patch(call: Call): Promise<ApiResponse> {
  const mediaType = mediaTypeOf(call.request.headers);
  const accepted = acceptedTypes(call);
  const document = readDocument(call.request, accepted);
  if (!accepted.includes(mediaType)) {
    throw new StatusError(
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
    );
  }
  if (mediaType === applyType) return apply(call, document);
  const modified = await modify(call, (own) => {
    const value = patched(call, mediaType, own, structuredClone(document.value));
    return decodeObject(call, { value, duplicates: document.duplicates });
  });
  return respondModified(call, modified);
}
