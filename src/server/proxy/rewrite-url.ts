// Links and redirects of a proxied server point to where it thinks it is; they are led back through the
// proxy. The rules are those of k8s.io/apimachinery/pkg/util/proxy.

export interface ProxiedPlace {
  /** The server's address as the proxy dialled it. */
  targetHost: string;
  /** The Host the caller asked for. */
  callerHost: string;
  /** What the proxy's path has before the server's own: `/api/v1/namespaces/x/pods/y/proxy`. */
  prefix: string;
}

const absolute = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?#]*)/i;

/** `link` as the caller must ask for it. Relative links and links to other hosts stay as they are. */
export function rewriteUrl(link: string, { targetHost, callerHost, prefix }: ProxiedPlace): string {
  if (/^(?!https?:)[a-z][a-z0-9+.-]*:/i.test(link)) return link;
  const host = absolute.exec(link);
  if (host && host[1] !== "" && host[1] !== targetHost && host[1] !== callerHost) return link;
  const path = host ? link.slice(host[0].length) : link;
  if (!path.startsWith("/")) return link;
  if (path.startsWith(prefix)) return path;
  return prefix.replace(/\/$/, "") + path;
}
