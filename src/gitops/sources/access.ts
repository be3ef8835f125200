// Credentials of sources, from the Secrets that they name. Pure, but for reading those.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Access } from "../host.ts";

const secrets = resource("v1", "secrets");

export async function secretData(client: Client, namespace: string, name: string) {
  const secret = await client.get({ ...secrets, namespace, name });
  const data: Record<string, string> = {};
  for (const [key, value] of Object.entries(secret["data"] ?? {})) {
    data[key] = Buffer.from(value as string, "base64").toString();
  }
  return data;
}

/** Of git: `username` and `password`, or `bearerToken`; `ca.crt`. */
export function gitAccess(data: Record<string, string>): Access {
  const { username, password, bearerToken } = data;
  const ca = data["ca.crt"] ?? data["caFile"];
  return {
    ...(username !== undefined && { username, password: password ?? "" }),
    ...(bearerToken !== undefined && { bearerToken }),
    ...(ca !== undefined && { ca }),
  };
}

/** Of a registry: what `.dockerconfigjson` says of its host. */
export function registryAccess(data: Record<string, string>, host: string): Access {
  const text = data[".dockerconfigjson"];
  if (text === undefined) throw new Error("the Secret has no .dockerconfigjson");
  const { auths = {} } = JSON.parse(text);
  const entry = auths[host] ?? auths[`https://${host}`] ?? auths[`https://${host}/v1/`];
  if (!entry) return {};
  const [username, ...rest] = entry.auth
    ? Buffer.from(entry.auth, "base64").toString().split(":")
    : [entry.username, entry.password];
  return { username, password: rest.join(":") };
}
