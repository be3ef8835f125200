// Where an etcd is, as people write it: `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]`, or `etcds://` with TLS
// and the query parameters `cacert`, `cert` and `key`, which name files as etcdctl's flags do.

export interface EtcdAddress {
  /** `host:port`. */
  endpoints: string[];
  /** Keys begin with it; begins and ends with a slash. */
  prefix: string;
  tls?: { cacert?: string; cert?: string; key?: string };
}

const example =
  "etcd://HOST:2379[,HOST:2379...][/PREFIX] or etcds://...?cacert=FILE&cert=FILE&key=FILE";
const defaultPort = 2379;
const files = ["cacert", "cert", "key"] as const;

function endpointOf(text: string): string {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(parts?.[2] ?? defaultPort);
  if (!parts || port < 1 || port > 65_535) {
    throw new Error(`--store: "${text}" is not HOST:PORT; write ${example}`);
  }
  return `${parts[1]}:${port}`;
}

/** Throws an Error that shows how it is written. */
export function parseEtcdAddress(text: string): EtcdAddress {
  const parts = /^(etcds?):\/\/([^/?#]+)(\/[^?#]*)?(?:\?([^#]*))?$/.exec(text);
  if (!parts) throw new Error(`--store: cannot read "${text}"; write ${example}`);
  const [, scheme, hosts, path = "/kerb", query = ""] = parts;
  const endpoints = hosts!.split(",").map(endpointOf);
  const prefix = `/${path.split("/").filter(Boolean).join("/") || "kerb"}/`;
  const tls: NonNullable<EtcdAddress["tls"]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const file = files.find((one) => one === name);
    if (!file || scheme === "etcd") {
      throw new Error(`--store: "${name}" is not known after ${scheme}://; write ${example}`);
    }
    tls[file] = value;
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new Error("--store: cert and key belong together; give both or none");
  }
  return { endpoints, prefix, ...(scheme === "etcds" && { tls }) };
}
