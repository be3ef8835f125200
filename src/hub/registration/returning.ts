// A site that was away until its certificate ran out comes back with that very certificate: the connection proves
// that it has the key, and the hub takes it for nothing but the question for a new one. Pure.
import { clusterGroup } from "../names.ts";

/** All that the holder of an expired certificate is. */
export const returningGroup = "system:bootstrappers:kerb:returning-sites";
const prefix = "returning:";
const credentialId = "authentication.kubernetes.io/credential-id";

interface User {
  name: string;
  groups: readonly string[];
  extra?: Record<string, string[]>;
}

export const returningName = (user: string) => prefix + user;

/** Who asks with an expired certificate of `user`; undefined when it is no site's. */
export function returningSite({ name, groups, extra }: User) {
  const isSite = groups.some((group) => name.startsWith(`${group}:`) && group !== clusterGroup(""));
  if (!isSite || !name.startsWith(clusterGroup(""))) return undefined;
  const groupsThen = [returningGroup, "system:authenticated"];
  return { name: returningName(name), groups: groupsThen, ...(extra && { extra }) };
}

/** The certificate by which somebody was known, as `X509SHA256=HEX`; undefined when it was none. */
export const credentialOf = (extra: Record<string, readonly string[]> | undefined) =>
  extra?.[credentialId]?.find((one) => one.startsWith("X509SHA256="));
