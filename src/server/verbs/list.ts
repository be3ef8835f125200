// LIST. The common list (no selector, plain JSON) never parses anything: stored bytes are joined by
// commas into large chunks, page after page at one revision, as fast as the reader takes them. All other
// forms read objects: a selector, a Table, metadata only, another version, or an in-process caller.
import { Blocks } from "../../store/blocks.ts";
import { Compacted, type Entry, type Page } from "../../store/store.ts";
import { apiVersionOf } from "../../kinds/kind.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Call } from "../core.ts";
import {
  continueExpired,
  encodeContinue,
  listQuery,
  revisionExpired,
  tooLargeRevision,
  type ListQuery,
} from "../list-options.ts";
import type { ApiResponse } from "../request.ts";
import { partialOf } from "../partial.ts";
import { listInProtobuf } from "./list-protobuf.ts";
import { Chunks } from "./chunks.ts";
import { respondWith } from "../respond.ts";
import { selectionOf, type Selection } from "../selection.ts";
import { fromStored, keyOf, prefixOf, readAhead, shownBytes } from "../stored.ts";
import { tableOf } from "../table/table.ts";

/** Entries taken from the store at a time. */
const pageEntries = 1000;

interface ListMeta {
  resourceVersion: string;
  continue?: string;
  remainingItemCount?: number;
}

/** What of the store a list reads. */
interface Source {
  call: Call;
  prefix: string;
  query: ListQuery;
  selection: Selection | undefined;
  /** Where a page's values lie, for who is done with them by the next. */
  blocks?: Blocks;
}

async function pageOf(source: Source, limit: number, after?: string, at?: number) {
  const { call, prefix, query, blocks } = source;
  const revision = at ?? query.exactly;
  try {
    const page = await call.core.store.list(prefix, {
      limit,
      ...(revision !== undefined && { revision }),
      ...(after !== undefined && { after }),
      ...(blocks && { blocks }),
    });
    await readAheadOf(call, page.entries);
    return page;
  } catch (error) {
    if (!(error instanceof Compacted)) throw error;
    throw query.after === undefined
      ? revisionExpired(revision ?? 0, error.oldest)
      : new ExpiredToken(after ?? "");
  }
}

const readAheadOf = (call: Call, entries: Entry[]) =>
  call.kind.storedForm?.convert &&
  readAhead(
    call.kind,
    entries.map(({ value }) => value),
  );

/** A continue token whose revision is compacted. It is answered with a token that still works. */
class ExpiredToken extends Error {
  readonly after: string;
  constructor(after: string) {
    super("continue token expired");
    this.after = after;
  }
}

/** A list pinned to one name (`metadata.name=x`) is a get. */
async function single(source: Source, name: string): Promise<Page> {
  const { call } = source;
  const { store } = call.core;
  const revision = store.revision();
  if (call.kind.namespaced && !call.info.namespace) return pageOf(source, Infinity);
  const entry = await store.get(keyOf(call.kind, call.info.namespace, name));
  if (entry) await readAheadOf(call, [entry]);
  return { entries: entry ? [entry] : [], revision, remaining: 0 };
}

/** Collects the entries that a limit or a selection leaves. */
async function collect(source: Source): Promise<Page> {
  const { call, prefix, query, selection } = source;
  const limit = query.limit ?? Infinity;
  const first = query.after === undefined ? undefined : prefix + query.after;
  const name = selection?.name;
  if (name !== undefined && query.exactly === undefined && first === undefined) {
    const page = await single(source, name);
    return { ...page, entries: page.entries.filter((entry) => matches(call, selection, entry)) };
  }
  const found: Entry[] = [];
  let page = await pageOf(source, Math.min(limit, pageEntries), first);
  const { revision } = page;
  for (;;) {
    for (const [i, entry] of page.entries.entries()) {
      if (!matches(call, selection, entry)) continue;
      found.push(entry);
      const left = page.entries.length - i - 1 + page.remaining;
      if (found.length >= limit && left > 0) {
        return { entries: found, revision, next: entry.key, remaining: selection ? 0 : left };
      }
    }
    if (page.next === undefined) return { entries: found, revision, remaining: 0 };
    page = await pageOf(source, pageEntries, page.next, revision);
  }
}

const matches = (call: Call, selection: Selection | undefined, entry: Entry) =>
  !selection || selection.matches(fromStored(call.kind, entry.value));

function metaOf({ prefix, selection }: Source, page: Page): ListMeta {
  return {
    resourceVersion: String(page.revision),
    ...(page.next !== undefined && {
      continue: encodeContinue(page.revision, page.next.slice(prefix.length)),
      ...(!selection && { remainingItemCount: page.remaining }),
    }),
  };
}

const listKindOf = (call: Call) => ({
  kind: call.kind.listKind,
  apiVersion: apiVersionOf(call.kind),
});

/** Joins values into chunks. */
async function* join(call: Call, meta: ListMeta, pages: AsyncIterable<Page>, chunks: Chunks) {
  const head = JSON.stringify({ ...listKindOf(call), metadata: meta, items: [] });
  chunks.add(Buffer.from(head.slice(0, -2)));
  let separator: Uint8Array = nothing;
  for await (const page of pages) {
    for (const entry of page.entries) {
      for (const bytes of [separator, shownBytes(call.kind, entry.value)]) {
        const full = chunks.add(bytes);
        if (full) yield full;
      }
      separator = comma;
    }
  }
  const full = chunks.add(Buffer.from("]}\n"));
  if (full) yield full;
  yield chunks.rest()!;
}

const nothing = Buffer.alloc(0);
const comma = Buffer.from(",");

function joined(call: Call, meta: ListMeta, pages: AsyncIterable<Page>): ApiResponse {
  const chunks = new Chunks();
  const stream = join(call, meta, pages, chunks);
  return { code: 200, warnings: call.warnings, stream, written: chunks.written };
}

/** Who asks for the next page is done with the one before, whose values then lie in `source.blocks` no more. */
async function* followingPages(source: Source, first: Page): AsyncIterable<Page> {
  let page = first;
  for (;;) {
    yield page;
    if (page.next === undefined) return;
    source.blocks?.reuse();
    page = await pageOf(source, pageEntries, page.next, first.revision);
  }
}

/** The fast path: everything under the prefix, in bytes. */
async function stream(all: Source): Promise<ApiResponse> {
  const { call } = all;
  const isJson = call.accept.format === "json";
  const source = isJson ? { ...all, blocks: new Blocks() } : all;
  const first = await pageOf(source, pageEntries);
  const meta = { resourceVersion: String(first.revision) };
  if (!isJson) {
    const answer = await listInProtobuf(call.kind, meta, followingPages(source, first));
    return { ...answer, warnings: call.warnings };
  }
  return joined(call, meta, followingPages(source, first));
}

function respondPage(source: Source, page: Page): ApiResponse {
  const { call } = source;
  const meta = metaOf(source, page);
  if (call.accept.as === "object" && call.accept.format === "json" && !call.request.decoded) {
    const pages = (async function* () {
      yield page;
    })();
    return joined(call, meta, pages);
  }
  const objects = page.entries.map((entry) => fromStored(call.kind, entry.value));
  return respondWith(call, 200, shapeList(call, objects, meta));
}

/** Objects as the list the caller accepts. */
function shapeList(call: Call, objects: KubeObject[], meta: ListMeta): object {
  const { as, version } = call.accept;
  if (as === "Table") return tableOf(call, objects, meta);
  if (as === "object") return { ...listKindOf(call), metadata: meta, items: objects };
  return {
    kind: "PartialObjectMetadataList",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: meta,
    items: objects.map((object) => partialOf(object, version)),
  };
}

export async function list(call: Call): Promise<ApiResponse> {
  const query = listQuery(call.request.query);
  const current = call.core.store.revision();
  if (query.atLeast > current) throw tooLargeRevision(query.atLeast, current);
  const selection = selectionOf(call.request.query, call.kind);
  const source = { call, prefix: prefixOf(call.kind, call.info.namespace), query, selection };
  const plain = call.accept.as === "object" && call.accept.format !== "yaml";
  const whole = query.limit === undefined && query.after === undefined && !selection;
  try {
    if (plain && whole && !call.request.decoded) return await stream(source);
    return respondPage(source, await collect(source));
  } catch (error) {
    if (!(error instanceof ExpiredToken)) throw error;
    const token = encodeContinue(-1, error.after.slice(source.prefix.length));
    const status = { ...continueExpired().toStatus(), metadata: { continue: token } };
    return { code: status.code, object: status };
  }
}

/** Every object of a selection, for verbs that act on many. */
export async function listEntries(call: Call): Promise<Page> {
  const query = listQuery(call.request.query);
  const selection = selectionOf(call.request.query, call.kind);
  const prefix = prefixOf(call.kind, call.info.namespace);
  return collect({ call, prefix, query, selection });
}
