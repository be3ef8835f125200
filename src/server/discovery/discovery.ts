// Discovery: which groups, versions and resources are served, per group version and aggregated. Built
// from the kinds when first asked for, and again after they changed.
import { createHash } from "node:crypto";
import { apiVersionOf, type Kind } from "../../kinds/kind.ts";
import type { Kinds } from "../../kinds/kinds.ts";
import { acceptClauses } from "../negotiate.ts";
import type { Remotes } from "../remotes.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import { aggregated } from "./aggregated.ts";
import { groupsOf, preferred, type Group } from "./groups.ts";
import { subresourceKind, subresourceVerbs } from "./subresources.ts";

/** What discovery reads of the server. */
interface Source {
  kinds: Kinds;
  plugs?: { remotes?: Remotes };
}

interface Documents {
  groups: Group[];
  /** Of the remotes they were made of. */
  generation: number;
  /** Answers by path or media type, made when first asked for. */
  made: Map<string, ApiResponse>;
}

const documents = new WeakMap<Kinds, Documents>();

function documentsOf({ kinds, plugs }: Source): Documents {
  const known = documents.get(kinds);
  const generation = plugs?.remotes?.generation() ?? 0;
  if (known?.generation === generation) return known;
  const next = { groups: groupsOf(kinds, plugs?.remotes), generation, made: new Map() };
  documents.set(kinds, next);
  if (!known) {
    const stop = kinds.onChange(() => {
      documents.delete(kinds);
      stop();
    });
  }
  return next;
}

const hashOf = (text: string) => createHash("sha256").update(text).digest("base64").slice(0, 12);

/** The resources of a version, with their subresources, as `APIResourceList` has them. */
function resourceList(kinds: Kind[], groupVersion: string) {
  const resources = kinds.flatMap((kind) => [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: [...kind.verbs].sort(),
      ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
      ...(kind.categories.length > 0 && { categories: kind.categories }),
      ...(!kind.virtual && {
        storageVersionHash: hashOf(
          `${kind.group}/${kind.storageVersion ?? kind.version}/${kind.kind}`,
        ),
      }),
    },
    ...kind.subresources.map((subresource) => ({
      name: `${kind.plural}/${subresource}`,
      singularName: "",
      namespaced: kind.namespaced,
      ...subresourceKind(kind, subresource),
      verbs: subresourceVerbs(kind, subresource),
    })),
  ]);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
}

const apiGroup = ({ name, versions }: Group) => ({
  name,
  versions: versions.map(({ version }) => ({
    groupVersion: apiVersionOf({ group: name, version }),
    version,
  })),
  preferredVersion: {
    groupVersion: apiVersionOf({ group: name, version: preferred(versions) }),
    version: preferred(versions),
  },
});

/** The document at a discovery path, undefined when there is none. */
function documentAt(groups: Group[], segments: string[]): object | undefined {
  const [root, ...rest] = segments;
  const inApis = root === "apis";
  if (root !== "api" && !inApis) return undefined;
  if (rest.length === 0) {
    if (inApis) {
      const named = groups.filter(({ name }) => name !== "");
      return { kind: "APIGroupList", apiVersion: "v1", groups: named.map(apiGroup) };
    }
    return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
  }
  const group = groups.find(({ name }) => name === (inApis ? rest[0] : ""));
  if (!group) return undefined;
  const version = inApis ? rest[1] : rest[0];
  if (inApis && version === undefined) {
    return { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group) };
  }
  if (rest.length > (inApis ? 2 : 1)) return undefined;
  const found = group.versions.find((one) => one.version === version);
  return found && resourceList(found.kinds, apiVersionOf({ group: group.name, version: version! }));
}

/** The aggregated media type the caller prefers over plain JSON, if any. */
function aggregatedVersion(accept: string | undefined): "v2" | "v2beta1" | undefined {
  for (const { mediaType, parameters } of acceptClauses(accept ?? "")) {
    const { g, v, as } = parameters;
    if (mediaType !== "application/json") continue;
    if (as === undefined) return undefined;
    const wanted = g === "apidiscovery.k8s.io" && as === "APIGroupDiscoveryList";
    if (wanted && (v === "v2" || v === "v2beta1")) return v;
  }
  return undefined;
}

function make(
  { made }: Documents,
  key: string,
  build: () => object | undefined,
  contentType: string,
) {
  let answer = made.get(key);
  if (answer) return answer;
  const object = build();
  if (!object) return undefined;
  const bytes = Buffer.from(JSON.stringify(object));
  const etag = `"${createHash("sha256").update(bytes).digest("hex").toUpperCase()}"`;
  answer = { code: 200, headers: { "content-type": contentType, etag, vary: "Accept" }, bytes };
  made.set(key, answer);
  return answer;
}

/** Answers /api, /apis and what lies under them; undefined for other paths. */
export function discovery(
  source: Source,
  segments: string[],
  request: ApiRequest,
): ApiResponse | undefined {
  const known = documentsOf(source);
  const { groups } = known;
  const root = segments.length === 1 && (segments[0] === "api" || segments[0] === "apis");
  const version = root ? aggregatedVersion(request.headers["accept"]) : undefined;
  if (!version) {
    const key = `/${segments.join("/")}`;
    return make(known, key, () => documentAt(groups, segments), "application/json");
  }
  const core = segments[0] === "api";
  const answer = make(
    known,
    `${segments[0]};${version}`,
    () =>
      aggregated(
        groups.filter(({ name }) => (name === "") === core),
        version,
      ),
    `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
  );
  const same = answer && request.headers["if-none-match"] === answer.headers!["etag"];
  return same ? { code: 304, headers: answer.headers! } : answer;
}
