// Volumes that show files of several sources.
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import { fileMode, filePath } from "../path-rules.ts";
import { all, each, fields, holds, needed, none, orEmpty } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { downwardFiles } from "./downward-api-validation.ts";

/** Which key becomes which file. */
export const keyToPath = fields({ key: needed(), path: needed(filePath), mode: fileMode });

const files = fields({ name: needed(), items: each(keyToPath) });

const tokenSecondsMin = 600;
const tokenSecondsMax = 2 ** 32;

/** How long a token is asked for. */
export const tokenSeconds = all(
  holds((seconds) => seconds >= tokenSecondsMin, "may not specify a duration less than 10 minutes"),
  holds(
    (seconds) => seconds <= tokenSecondsMax,
    "may not specify a duration larger than 2^32 seconds",
  ),
);

/** Bundles of certificates and certificates of pods are features that are off: what is said of them is not judged. */
const sources: Record<string, Rule> = {
  secret: files,
  configMap: files,
  downwardAPI: fields({ items: downwardFiles }),
  serviceAccountToken: fields({ expirationSeconds: tokenSeconds }),
  clusterTrustBundle: () => none,
  podCertificate: () => none,
};
const sourceFields = fields(sources);

const sourceErrors: Rule = (source, at) => {
  const errors = sourceFields(source, at);
  const count = Object.keys(sources).filter((name) => source[name]).length;
  if (count < 2) return errors;
  return [...errors, forbiddenValue(at, "may not specify more than 1 volume type per source")];
};

/** Every path with what it is told by when another source has it already. */
function* pathsOf(source: any): Generator<[path: string | undefined, told: string | undefined]> {
  for (const { name, items } of [source.secret ?? {}, source.configMap ?? {}]) {
    for (const { path } of items ?? []) yield [path, name];
  }
  for (const { path } of source.downwardAPI?.items ?? []) yield [path, path];
}

function conflictErrors(list: unknown[], at: string): Errors {
  const seen = new Set<string>();
  return list.flatMap((source) =>
    [...pathsOf(source)].flatMap(([path, told]) => {
      if (!path) return [];
      if (seen.has(path)) return [invalidValue(at, told ?? "", "conflicting duplicate paths")];
      seen.add(path);
      return [];
    }),
  );
}

/** The paths of tokens are told at the volume, as upstream does. */
const tokenPath = all(needed(), orEmpty(filePath));

export const projected = all(
  fields({ defaultMode: fileMode, sources: each(sourceErrors) }),
  ({ sources: list = [] }, at) => [
    ...conflictErrors(list, at),
    ...list.flatMap(({ serviceAccountToken: one }: any) =>
      one ? tokenPath(one.path, `${at}.path`) : none,
    ),
  ],
);
