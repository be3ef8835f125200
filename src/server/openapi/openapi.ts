// /openapi/v2 and /openapi/v3. Documents are built from the kinds when first asked for and kept until the
// kinds change, so that the start pays nothing.
import { createHash } from "node:crypto";
import type { Kind } from "../../kinds/kind.ts";
import type { Kinds } from "../../kinds/kinds.ts";
import { acceptClauses, notAcceptable } from "../negotiate.ts";
import type { Remotes } from "../remotes.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import { mergeSwagger } from "./merge.ts";
import { pathsOf } from "./operations.ts";
import { definitionsFor, rootOf } from "./schemas.ts";

interface Document {
  bytes: Uint8Array;
  etag: string;
  /** In gnostic's binary form, made when first asked for. */
  binary?: Uint8Array;
}

/** Documents by group version (`apis/apps/v1`), the index under "v3" and the whole under "v2". */
const made = new WeakMap<Kinds, Map<string, Document>>();

function documentsOf(kinds: Kinds) {
  let documents = made.get(kinds);
  if (!documents) {
    made.set(kinds, (documents = new Map()));
    const stop = kinds.onChange(() => {
      made.delete(kinds);
      stop();
    });
  }
  return documents;
}

const etagOf = (bytes: Uint8Array) =>
  createHash("sha256").update(bytes).digest("hex").toUpperCase();

function document(kinds: Kinds, name: string, build: () => object): Document {
  const documents = documentsOf(kinds);
  let known = documents.get(name);
  if (!known) {
    const bytes = Buffer.from(JSON.stringify(build()));
    documents.set(name, (known = { bytes, etag: etagOf(bytes) }));
  }
  return known;
}

const info = { title: "Kubernetes", version: "v1.36.0" };

/** Kinds by group version, `api/v1` or `apis/apps/v1`. */
function groupVersions(kinds: Kinds): Map<string, Kind[]> {
  const found = new Map<string, Kind[]>();
  for (const kind of kinds.all()) {
    const name = rootOf(kind).slice(1);
    found.set(name, [...(found.get(name) ?? []), kind]);
  }
  return found;
}

const pathsOfAll = (list: Kind[], dialect: "v2" | "v3") =>
  Object.assign({}, ...list.map((kind) => pathsOf(kind, dialect)));

const v3Document = (kinds: Kinds, list: Kind[]) => ({
  openapi: "3.0.0",
  info,
  paths: pathsOfAll(list, "v3"),
  components: { schemas: definitionsFor(list, kinds, "v3") },
});

const v2Document = (kinds: Kinds) => ({
  swagger: "2.0",
  info,
  paths: pathsOfAll(kinds.all(), "v2"),
  definitions: definitionsFor(kinds.all(), kinds, "v2"),
});

/**
 * A hash of what a group version's document is made of, without building it: its kinds and their schemas.
 * Built-in schemas are named by reference and never change while the server runs.
 */
const hashOf = (list: Kind[]) =>
  createHash("sha256")
    .update(
      JSON.stringify(list, (_key, value) => (typeof value === "function" ? undefined : value)),
    )
    .digest("hex")
    .toUpperCase();

const v3Index = (kinds: Kinds) => ({
  paths: Object.fromEntries(
    [...groupVersions(kinds)].map(([name, list]) => [
      name,
      { serverRelativeURL: `/openapi/v3/${name}?hash=${hashOf(list)}` },
    ]),
  ),
});

function respond(
  { bytes, etag }: Pick<Document, "bytes" | "etag">,
  request: ApiRequest,
  contentType?: string,
): ApiResponse {
  const quoted = `"${etag}"`;
  const headers: Record<string, string> = { etag: quoted, vary: "Accept" };
  if (contentType) headers["content-type"] = contentType;
  if (request.headers["if-none-match"] === quoted) return { code: 304, headers };
  if (request.query.has("hash")) headers["cache-control"] = "public, immutable";
  return { code: 200, headers, bytes };
}

const jsonTypes = ["application/json", "application/*", "*/*"];

/** The binary form's type in its two spellings; only the second is a media type by the letter. */
const binaryTypes = (version: "v2" | "v3") =>
  ["@", "."].map(
    (mark) => `application/com.github.proto-openapi.spec.${version}${mark}v1.0+protobuf`,
  );

/** The first form that is served; throws NotAcceptable. */
function formOf(accept: string | undefined, version: "v2" | "v3"): "json" | "binary" {
  if (!accept) return "json";
  for (const { mediaType } of acceptClauses(accept)) {
    if (jsonTypes.includes(mediaType)) return "json";
    if (binaryTypes(version).includes(mediaType)) return "binary";
  }
  throw notAcceptable(["application/json", ...binaryTypes(version)]);
}

/** Answers in the form the caller takes. The binary form is loaded by the first who does. */
async function respondIn(found: Document, version: "v2" | "v3", request: ApiRequest) {
  if (formOf(request.headers["accept"], version) === "json") return respond(found, request);
  if (!found.binary) {
    const { encodeV2, encodeV3 } = await import("./protobuf.ts");
    const parsed = JSON.parse(Buffer.from(found.bytes).toString());
    found.binary = version === "v2" ? encodeV2(parsed) : encodeV3(parsed);
  }
  const binary = { bytes: found.binary, etag: `${found.etag}PB` };
  return respond(binary, request, binaryTypes(version)[1]);
}

/** Whose documents are published. */
interface Source {
  kinds: Kinds;
  plugs?: { remotes?: Remotes };
}

const documentOf = (object: object): Document => {
  const bytes = Buffer.from(JSON.stringify(object));
  return { bytes, etag: etagOf(bytes) };
};

/** Ours with those of other servers; each of theirs is fetched when it is asked for. */
async function swagger({ kinds, plugs }: Source): Promise<Document> {
  const own = document(kinds, "v2", () => v2Document(kinds));
  const others = (await plugs?.remotes?.swaggers()) ?? [];
  if (others.length === 0) return own;
  let merged: object = JSON.parse(Buffer.from(own.bytes).toString());
  for (const { root, document: other } of others) merged = mergeSwagger(merged, other, root);
  return documentOf(merged);
}

async function index({ kinds, plugs }: Source): Promise<Document> {
  const own = document(kinds, "v3", () => v3Index(kinds));
  const others = (await plugs?.remotes?.openApiIndex()) ?? {};
  if (Object.keys(others).length === 0) return own;
  const { paths } = JSON.parse(Buffer.from(own.bytes).toString());
  return documentOf({ paths: { ...paths, ...others } });
}

async function groupVersion({ kinds, plugs }: Source, name: string) {
  const other = await plugs?.remotes?.openApiDocument(name);
  if (other) return documentOf(other);
  const list = groupVersions(kinds).get(name);
  return list && document(kinds, name, () => v3Document(kinds, list));
}

/** Answers what lies under /openapi; undefined for other paths. */
export async function openApi(
  source: Source,
  segments: string[],
  request: ApiRequest,
): Promise<ApiResponse | undefined> {
  const [version, ...rest] = segments;
  if (version !== "v2" && version !== "v3") return undefined;
  if (version === "v2" && rest.length > 0) return undefined;
  if (version === "v2") return respondIn(await swagger(source), version, request);
  if (rest.length === 0) return respond(await index(source), request);
  const found = await groupVersion(source, rest.join("/"));
  return found && respondIn(found, version, request);
}
