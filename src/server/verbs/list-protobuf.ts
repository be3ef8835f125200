// A long list in the binary form. Its length stands in front, so it is encoded before it is sent: page by
// page, so that others are served in between.
import { setImmediate as othersFirst } from "node:timers/promises";
import { apiVersionOf, type Kind } from "../../kinds/kind.ts";
import type { Page } from "../../store/store.ts";
import { protobufType } from "../body.ts";
import type { ApiResponse } from "../request.ts";
import { fromStored } from "../stored.ts";

/** `metadata` is the list's. */
export async function listInProtobuf(
  kind: Kind,
  metadata: object,
  pages: AsyncIterable<Page>,
): Promise<ApiResponse> {
  const { encodeItems, encodeListHead } = await import("../protobuf/encode.ts");
  const apiVersion = apiVersionOf(kind);
  const chunks: Buffer[] = [];
  let itemsBytes = 0;
  for await (const { entries } of pages) {
    const objects = entries.map(({ value }) => fromStored(kind, value));
    const chunk = encodeItems({ apiVersion, kind: kind.kind }, objects);
    chunks.push(chunk);
    itemsBytes += chunk.length;
    await othersFirst();
  }
  const head = encodeListHead({ apiVersion, kind: kind.listKind }, metadata, itemsBytes);
  const stream = async function* () {
    yield head;
    yield* chunks;
  };
  return { code: 200, headers: { "content-type": protobufType }, stream: stream() };
}
