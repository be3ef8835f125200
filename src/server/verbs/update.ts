// PUT: the whole object, in place of the present one.
import { badRequest } from "../../lib/status-error.ts";
import { readDocument } from "../body.ts";
import type { Call } from "../core.ts";
import type { ApiResponse } from "../request.ts";
import { respondObject, respondStored } from "../respond.ts";
import { decodeObject } from "../rules.ts";
import { place } from "./create.ts";
import { modify, type Modified } from "./modify.ts";

export const respondModified = (call: Call, modified: Modified, code = 200): ApiResponse =>
  "entry" in modified
    ? respondStored(call, code, modified.entry.value)
    : respondObject(call, code, modified.object);

export async function update(call: Call): Promise<ApiResponse> {
  const document = readDocument(call.request);
  const { name } = call.info;
  const first = decodeObject(call, document);
  const given = first.metadata.name;
  if (!given) throw badRequest("name must be provided");
  if (given !== name) {
    throw badRequest(
      `the name of the object (${given}) does not match the name on the URL (${name})`,
    );
  }
  place(call, first);
  // Computing again must begin from the document as it was sent.
  return respondModified(call, await modify(call, () => structuredClone(first)));
}
