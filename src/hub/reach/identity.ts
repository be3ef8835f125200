// Who a caller is: at the hub as its API server says, and at the site as somebody of the hub. Pure.
import { hubPrefix } from "./protocol.ts";

type Headers = Record<string, string | string[]>;
/** Every line of each header, not joined: a name may hold a comma. */
type HeaderLines = Partial<Record<string, string[]>>;

interface Caller {
  user: string;
  groups: string[];
}

/** Servers on the way may cut a header at its commas, so a group that holds one is nobody's. */
function callerOf(lines: HeaderLines): Caller | undefined {
  const [user, ...others] = lines["x-remote-user"] ?? [];
  if (!user || others.length > 0) return undefined;
  const groups = (lines["x-remote-group"] ?? []).filter((group) => group && !group.includes(","));
  return { user, groups };
}

/** The caller's name and groups, as they are passed on to the site. */
export function callerHeaders(lines: HeaderLines): Headers {
  const caller = callerOf(lines);
  if (!caller) return {};
  const { user, groups } = caller;
  return { "x-remote-user": user, ...(groups.length > 0 && { "x-remote-group": groups }) };
}

/**
 * What the site's agent says to its own API server. Every name begins with `hub:`, so that a hub speaks for
 * nobody whom the site knows otherwise. Undefined when no caller is named.
 */
export function impersonation(lines: HeaderLines): Headers | undefined {
  const caller = callerOf(lines);
  if (!caller) return undefined;
  const groups = caller.groups.map((group) => hubPrefix + group);
  return {
    "impersonate-user": hubPrefix + caller.user,
    ...(groups.length > 0 && { "impersonate-group": groups }),
  };
}
