// Which node a user is the agent of.
import type { User } from "../../request.ts";

const prefix = "system:node:";

/** The node's name; undefined for everybody else, "" for a member of system:nodes without a node's name. */
export function nodeOf({ name, groups }: User): string | undefined {
  if (!groups.includes("system:nodes")) return undefined;
  return name.startsWith(prefix) ? name.slice(prefix.length) : "";
}
