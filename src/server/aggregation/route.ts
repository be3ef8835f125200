// The way to another server: its Service's endpoints through their nodes, TLS as the APIService says, and
// our certificate of a front proxy, which lets the other server believe who we say the caller is.
import type { Duplex } from "node:stream";
import type { ConnectionOptions } from "node:tls";
import type { KubeObject } from "../../kinds/object.ts";
import { dialTcp } from "../../lib/dial-tcp.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { KeyPair } from "../auth/authority.ts";
import type { ServerHandle } from "../policy.ts";
import { chooseEndpoint } from "../proxy/choose-endpoint.ts";
import type { ForwardTarget } from "../../lib/proxy/forward.ts";
import { readEndpoints } from "../proxy/read-endpoints.ts";
import { dialThrough } from "../proxy/target.ts";
import type { User } from "../request.ts";
import type { ApiServiceSpec } from "./api-service.ts";

export const defaultPort = 443;

/** `NAME.NAMESPACE.svc`: whom the other server's certificate must name. */
export const serviceHost = ({ name, namespace }: NonNullable<ApiServiceSpec["service"]>) =>
  `${name}.${namespace}.svc`;

export async function readObject(server: ServerHandle, key: string) {
  const entry = await server.store.get(key);
  return entry && parseShared<KubeObject>(entry.value);
}

/** Connects to one of a Service's endpoints; throws a plain Error that says why not. */
export async function dialService(
  server: ServerHandle,
  { namespace, name, port = defaultPort }: NonNullable<ApiServiceSpec["service"]>,
): Promise<Duplex> {
  const service = await readObject(server, `services/${namespace}/${name}`);
  if (!service) throw new Error(`service "${name}" not found`);
  if (service.spec.type === "ExternalName") return dialTcp(service.spec.externalName, port);
  const found = service.spec.ports?.find((one: any) => one.port === port);
  if (!found) throw new Error(`no service port ${port} found for service "${name}"`);
  const subsets = (await readEndpoints(server, namespace, name)) ?? [];
  const isAsked = (one: { name: string }) => one.name === (found.name ?? "");
  const chosen = await chooseEndpoint(server, { namespace, subsets }, isAsked, { podsOnly: false });
  if (!chosen) throw new Error(`no endpoints available for service "${name}"`);
  return dialThrough(server, chosen.nodeName, chosen);
}

/** Throws nothing: what is wrong shows when it dials. */
export function routeTo(
  server: ServerHandle,
  spec: ApiServiceSpec,
  { cert, key }: KeyPair,
): ForwardTarget & { host: string } {
  const { caBundle, insecureSkipTLSVerify = false } = spec;
  const service = spec.service!;
  const host = serviceHost(service);
  const tls: ConnectionOptions = {
    cert,
    key,
    servername: host,
    rejectUnauthorized: !insecureSkipTLSVerify,
    // As Go does: a certificate in the bundle is trusted, also one that is no authority.
    ...(caBundle && { ca: Buffer.from(caBundle, "base64"), allowPartialTrustChain: true }),
  };
  return { host, tls, dial: () => dialService(server, service) };
}

/** The caller, as the other server reads it from us. */
export function identityHeaders({ name, uid, groups, extra = {} }: User) {
  const headers: Record<string, string | string[]> = { "x-remote-user": name };
  if (uid) headers["x-remote-uid"] = uid;
  if (groups.length > 0) headers["x-remote-group"] = groups;
  for (const [key, values] of Object.entries(extra)) {
    headers[`x-remote-extra-${encodeURIComponent(key).toLowerCase()}`] = values;
  }
  return headers;
}
