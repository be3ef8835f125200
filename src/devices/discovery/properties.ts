// discoveryProperties as handlers get them: literal values, and what lies in ConfigMaps and Secrets.
import type { Client, Resource } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { DiscoveryProperty, KeyRef } from "../kinds/configuration.ts";

const configMaps = resource("v1", "configmaps");
const secrets = resource("v1", "secrets");

/** What a Configuration names is not there (yet). */
export class PropertyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PropertyError";
  }
}

async function referred(client: Client, from: Resource, ref: KeyRef, property: string) {
  const { name, namespace = "default", optional = false } = ref;
  const what = `${from.resource === "secrets" ? "secret" : "configmap"} ${namespace}/${name}`;
  if (ref.key === undefined) {
    throw new PropertyError(`discoveryProperty ${property}: a reference needs a key`);
  }
  try {
    const object = await client.get({ ...from, namespace, name });
    const text = from.resource === "configmaps" ? object["data"]?.[ref.key] : undefined;
    if (text !== undefined) return Buffer.from(text);
    const base64 = object[from.resource === "secrets" ? "data" : "binaryData"]?.[ref.key];
    if (base64 !== undefined) return Buffer.from(base64, "base64");
    if (optional) return undefined;
    throw new PropertyError(`discoveryProperty ${property}: ${what} has no key ${ref.key}`);
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
    if (optional) return undefined;
    throw new PropertyError(`discoveryProperty ${property}: ${what} not found`);
  }
}

export type Properties = Map<string, Uint8Array | undefined>;

export function textOf(properties: Properties, name: string): string | undefined {
  const bytes = properties.get(name);
  return bytes && Buffer.from(bytes).toString();
}

/** `username` and `password`; undefined where no name is given. */
export function loginOf(
  properties: Properties,
): { username: string; password: string } | undefined {
  const username = textOf(properties, "username");
  return username === undefined
    ? undefined
    : { username, password: textOf(properties, "password") ?? "" };
}

/** An optional reference that leads nowhere is left out. */
export async function resolveProperties(
  client: Client,
  properties: DiscoveryProperty[] | null | undefined,
): Promise<Properties> {
  const found: Properties = new Map();
  for (const { name, value, valueFrom } of properties ?? []) {
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    if (value !== undefined && value !== null) found.set(name, Buffer.from(value));
    else if (secretKeyRef || configMapKeyRef) {
      const from = secretKeyRef ? secrets : configMaps;
      const bytes = await referred(client, from, (secretKeyRef ?? configMapKeyRef)!, name);
      if (bytes) found.set(name, bytes);
    } else found.set(name, undefined);
  }
  return found;
}
