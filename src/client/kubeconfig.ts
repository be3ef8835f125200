// A kubeconfig's current context as what a connection needs. What is not supported is refused by name.
import { readFileSync } from "node:fs";
import { parse } from "yaml";

export interface Connection {
  server: string;
  /** PEM texts. */
  ca?: string;
  cert?: string;
  key?: string;
  token?: string;
}

const text = (data: string | undefined, file: string | undefined) =>
  data ? Buffer.from(data, "base64").toString() : file ? readFileSync(file, "utf8") : undefined;

const named = (list: any[] | undefined, name: string, what: string) => {
  const found = list?.find((entry) => entry.name === name);
  if (!found) throw new Error(`kubeconfig: no ${what} named ${JSON.stringify(name)}`);
  return found;
};

/** Throws a plain Error that says what is wrong with the file. */
export function parseKubeconfig(yaml: string): Connection {
  const config = parse(yaml);
  const current = config?.["current-context"];
  if (!current) throw new Error("kubeconfig: current-context is not set");
  const { context } = named(config.contexts, current, "context");
  const { cluster } = named(config.clusters, context.cluster, "cluster");
  const { user } = named(config.users, context.user, "user");
  for (const field of ["exec", "auth-provider", "username"]) {
    if (user?.[field]) throw new Error(`kubeconfig: users[].user.${field} is not supported`);
  }
  const ca = text(cluster["certificate-authority-data"], cluster["certificate-authority"]);
  const cert = text(user["client-certificate-data"], user["client-certificate"]);
  const key = text(user["client-key-data"], user["client-key"]);
  const token = user.token ?? (user.tokenFile && readFileSync(user.tokenFile, "utf8").trim());
  return {
    server: cluster.server,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token && { token }),
  };
}
