// URLs: `url("https://host:80/path?a=b")` and its parts.
import type { Environment } from "@marcbachmann/cel-js";

class KubernetesUrl {
  readonly text: string;
  readonly parsed: URL;

  constructor(text: string) {
    this.text = text;
    this.parsed = new URL(text.startsWith("/") ? `none://none${text}` : text);
  }

  get isPath() {
    return this.text.startsWith("/");
  }
}

function isUrl(text: string): boolean {
  if (!text.startsWith("/") && !/^[a-z][a-z0-9+.-]*:/i.test(text)) return false;
  return URL.canParse(text.startsWith("/") ? `none://none${text}` : text);
}

/** The port as written: the parser drops one that its scheme implies. */
const portOf = ({ text }: KubernetesUrl) =>
  /^[^:]+:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/.exec(text)?.[1] ?? "";

const hostnameOf = ({ isPath, parsed }: KubernetesUrl) =>
  isPath ? "" : parsed.hostname.replace(/^\[|\]$/g, "");

function hostOf(url: KubernetesUrl): string {
  const port = portOf(url);
  const name = url.isPath ? "" : url.parsed.hostname;
  return port ? `${name}:${port}` : name;
}

const escapedPathOf = ({ isPath, parsed, text }: KubernetesUrl) =>
  !isPath && parsed.pathname === "/" && !/^[^:]+:\/\/[^/]*\//.test(text) ? "" : parsed.pathname;

function queryOf({ parsed }: KubernetesUrl) {
  const query = new Map<string, string[]>();
  for (const [name, value] of parsed.searchParams)
    query.set(name, [...(query.get(name) ?? []), value]);
  return query;
}

export function addUrl(environment: Environment) {
  environment
    .registerType("kubernetes.URL", { ctor: KubernetesUrl } as never)
    .registerOperator(
      "kubernetes.URL == kubernetes.URL",
      (a: KubernetesUrl, b: KubernetesUrl) => a.text === b.text,
    )
    .registerFunction("isURL(string): bool", isUrl)
    .registerFunction("url(string): kubernetes.URL", (text: string) => {
      if (!isUrl(text)) throw new Error(`URL parse error during conversion from string: ${text}`);
      return new KubernetesUrl(text);
    });
  const method = (name: string, run: (url: KubernetesUrl) => unknown, type = "string") =>
    environment.registerFunction(`kubernetes.URL.${name}(): ${type}`, run);
  method("getScheme", ({ isPath, parsed }) => (isPath ? "" : parsed.protocol.slice(0, -1)));
  method("getHost", hostOf);
  method("getHostname", hostnameOf);
  method("getPort", portOf);
  method("getEscapedPath", escapedPathOf);
  method("getQuery", queryOf, "map<string, list<string>>");
}
