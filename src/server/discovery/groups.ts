// The served group versions, this server's own and those of others, in the order in which clients should
// prefer them.
import type { Kind } from "../../kinds/kind.ts";
import { compareVersions, type Kinds } from "../../kinds/kinds.ts";
import type { Remotes, RemoteVersion } from "../remotes.ts";

export interface GroupVersionKinds {
  version: string;
  /** Empty for another server's. */
  kinds: Kind[];
  remote?: RemoteVersion;
}

export interface Group {
  name: string;
  /** Preferred first. */
  versions: GroupVersionKinds[];
}

export const preferred = (versions: GroupVersionKinds[]) => versions[0]!.version;

/** What others serve takes the place of what is served here. */
function versionsByGroup(kinds: Kinds, remotes: Remotes | undefined) {
  const groups = new Map<string, Map<string, GroupVersionKinds>>([["", new Map()]]);
  const at = (group: string, version: string) => {
    let versions = groups.get(group);
    if (!versions) groups.set(group, (versions = new Map()));
    let found = versions.get(version);
    if (!found) versions.set(version, (found = { version, kinds: [] }));
    return found;
  };
  for (const kind of kinds.all()) at(kind.group, kind.version).kinds.push(kind);
  for (const remote of remotes?.versions() ?? []) {
    Object.assign(at(remote.group, remote.version), { kinds: [], remote });
  }
  return groups;
}

/** All groups, the core group ("") first, the others by priority, else in the order they are registered. */
export function groupsOf(kinds: Kinds, remotes?: Remotes): Group[] {
  const priority = (group: string, version: string) => remotes?.priority(group, version);
  const ofVersion = (group: string, version: string) => priority(group, version)?.version ?? 0;
  const ofGroup = ({ name, versions }: Group) =>
    Math.max(...versions.map(({ version }) => priority(name, version)?.group ?? 0));
  const groups = [...versionsByGroup(kinds, remotes)].map(([name, versions]) => ({
    name,
    versions: [...versions.values()].sort(
      (a, b) =>
        ofVersion(name, b.version) - ofVersion(name, a.version) ||
        compareVersions(a.version, b.version),
    ),
  }));
  const [core, ...rest] = groups;
  const ranked = rest.map((group) => ({ group, rank: ofGroup(group) }));
  return [core!, ...ranked.sort((a, b) => b.rank - a.rank).map(({ group }) => group)];
}
