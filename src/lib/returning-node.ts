// A node that was away until its certificate ran out comes back with that very certificate: the connection proves
// that it has the key, and the cluster takes it for nothing but the question for a new one. Pure.

/** All that the holder of an expired certificate of a node is. */
export const returningNodesGroup = "system:bootstrappers:kerb:returning-nodes";

interface User {
  name: string;
  groups: readonly string[];
  extra?: Record<string, string[]>;
}

export const returningNodeName = (user: string) => `returning:${user}`;

/** Who asks with an expired certificate of `user`; undefined when it is no node's. */
export function returningNode({ name, groups, extra }: User) {
  if (!groups.includes("system:nodes") || !name.startsWith("system:node:")) return undefined;
  const groupsThen = [returningNodesGroup, "system:authenticated"];
  return { name: returningNodeName(name), groups: groupsThen, ...(extra && { extra }) };
}
