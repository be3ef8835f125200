// A kubeconfig's current context as what a connection needs. What is not supported is refused by name:
// ignoring it would connect otherwise than the file says.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";

export interface Connection {
  server: string;
  /** PEM texts. */
  ca?: string;
  cert?: string;
  key?: string;
  /** Asked for with every request, since tokens in files are renewed. */
  token?: () => string;
  /** The name the server's certificate is for, when it is not the one in `server`. */
  serverName?: string;
}

const unsupported: Record<string, string[]> = {
  cluster: ["insecure-skip-tls-verify", "proxy-url"],
  user: ["exec", "auth-provider", "username", "password", "as", "as-uid", "as-groups"],
};

function named(config: any, list: string, name: string | undefined): any {
  const what = list.slice(0, -1);
  const found = config[list]?.find((entry: any) => entry.name === name);
  if (!found) throw new Error(`kubeconfig: no ${what} named ${JSON.stringify(name)}`);
  const body = found[what] ?? {};
  for (const field of unsupported[what] ?? []) {
    if (body[field]) throw new Error(`kubeconfig: ${list}[].${what}.${field} is not supported`);
  }
  return body;
}

const reader = (directory: string) => (file: string) =>
  readFileSync(resolve(directory, file), "utf8");

const pemReader =
  (directory: string) =>
  (of: any, field: string): string | undefined => {
    const data = of[`${field}-data`];
    if (data) return Buffer.from(data, "base64").toString();
    return of[field] && reader(directory)(of[field]);
  };

function currentContext(yaml: string) {
  const config = parse(yaml) ?? {};
  const current = config["current-context"];
  if (!current) throw new Error("kubeconfig: current-context is not set");
  return { config, context: named(config, "contexts", current) };
}

/** Where the cluster is, whoever the user may be. Throws a plain Error that says what is wrong. */
export function parseCluster(yaml: string, directory = "."): Connection {
  const { config, context } = currentContext(yaml);
  const cluster = named(config, "clusters", context.cluster);
  if (!cluster.server) throw new Error("kubeconfig: clusters[].cluster.server is not set");
  const ca = pemReader(directory)(cluster, "certificate-authority");
  return {
    server: cluster.server,
    ...(ca && { ca }),
    ...(cluster["tls-server-name"] && { serverName: cluster["tls-server-name"] }),
  };
}

/** Whether its user's certificate or key lie in files beside it. */
export function namesFiles(yaml: string): boolean {
  const { config, context } = currentContext(yaml);
  const user = named(config, "users", context.user);
  return ["client-certificate", "client-key"].some((field) => user[field] !== undefined);
}

/** `directory` is what file names in it are relative to. Throws a plain Error that says what is wrong. */
export function parseKubeconfig(yaml: string, directory = "."): Connection {
  const { config, context } = currentContext(yaml);
  const user = named(config, "users", context.user);
  const [read, pem] = [reader(directory), pemReader(directory)];
  const cert = pem(user, "client-certificate");
  const key = pem(user, "client-key");
  const { token, tokenFile } = user;
  return {
    ...parseCluster(yaml, directory),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token ? { token: () => token } : tokenFile && { token: () => read(tokenFile).trim() }),
  };
}
