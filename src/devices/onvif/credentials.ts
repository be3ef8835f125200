// Which name and password a camera is asked with, from discoveryProperties. Pure.
import { isObject } from "../../lib/json.ts";
import { textOf } from "../discovery/properties.ts";
import type { Properties } from "../discovery/properties.ts";
import type { Credential } from "./messages.ts";

const textIn = (properties: Properties, name: unknown): string | undefined =>
  typeof name === "string" ? textOf(properties, name) : undefined;

function jsonIn(properties: Properties, name: unknown): unknown {
  const text = textIn(properties, name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const idOf = (uuid: string) => uuid.toLowerCase().replaceAll("_", "-");

/** The maps that a list names, later ones winning. */
function* entries(properties: Properties, list: string): Generator<[string, any]> {
  const names = jsonIn(properties, list);
  for (const name of Array.isArray(names) ? names : []) {
    const map = jsonIn(properties, name);
    if (isObject(map)) yield* Object.entries(map);
  }
}

const isText = (value: unknown): value is string => typeof value === "string";

function direct(entry: any): Credential | undefined {
  const { username, password, base64encoded } = entry ?? {};
  if (!isText(username) || !isText(password)) return undefined;
  if (base64encoded !== true) return { username, password };
  return { username, password: Buffer.from(password, "base64").toString() };
}

/** Later kinds win: lists, lists of references, single properties. */
export function credentials(properties: Properties): (uuid: string) => Credential | undefined {
  const known = new Map<string, Credential>();
  for (const [uuid, entry] of entries(properties, "device_credential_list")) {
    const credential = direct(entry);
    if (credential) known.set(idOf(uuid), credential);
  }
  for (const [uuid, entry] of entries(properties, "device_credential_ref_list")) {
    const username = textIn(properties, entry?.username_ref);
    const password = textIn(properties, entry?.password_ref);
    if (username !== undefined && password !== undefined) {
      known.set(idOf(uuid), { username, password });
    }
  }
  for (const name of properties.keys()) {
    const [, uuid] = /^username_(.+)$/.exec(name) ?? [];
    const username = textIn(properties, name);
    const password = textIn(properties, `password_${uuid}`) ?? "";
    if (uuid !== undefined && username !== undefined) known.set(idOf(uuid), { username, password });
  }
  return (uuid) => known.get(idOf(uuid)) ?? known.get("default");
}
