// The served kinds by group and version, in the order in which clients should prefer them.
import type { Kind } from "../../kinds/kind.ts";
import { compareVersions, type Kinds } from "../../kinds/kinds.ts";

export interface GroupVersionKinds {
  version: string;
  kinds: Kind[];
}

export interface Group {
  name: string;
  /** Preferred first. */
  versions: GroupVersionKinds[];
}

export const preferred = (versions: GroupVersionKinds[]) => versions[0]!.version;

/** All groups, the core group ("") first, then in the order the kinds are registered. */
export function groupsOf(kinds: Kinds): Group[] {
  const groups = new Map<string, Map<string, Kind[]>>([["", new Map()]]);
  for (const kind of kinds.all()) {
    let versions = groups.get(kind.group);
    if (!versions) groups.set(kind.group, (versions = new Map()));
    const list = versions.get(kind.version);
    if (list) list.push(kind);
    else versions.set(kind.version, [kind]);
  }
  return [...groups].map(([name, versions]) => ({
    name,
    versions: [...versions]
      .map(([version, list]) => ({ version, kinds: list }))
      .sort((a, b) => compareVersions(a.version, b.version)),
  }));
}
