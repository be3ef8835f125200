// `$(NAME)` in texts that people write for every device. Pure.
import type { Instance } from "../kinds/instance.ts";
import { digestOf } from "../kinds/instance.ts";

export type Values = Record<string, string>;

/** What a text may name: the device's properties, and who it is. */
export const valuesOf = (instance: Instance, node?: string): Values => ({
  ...instance.spec.brokerProperties,
  INSTANCE: instance.metadata.name,
  DEVICE: digestOf(instance),
  CONFIGURATION: instance.spec.configurationName,
  ...(node !== undefined && { NODE: node }),
});

/** A name that nobody knows stays as it is. */
export const expand = (text: string, values: Values) =>
  text.replaceAll(/\$\(([\w.-]+)\)/g, (whole, name: string) => values[name] ?? whole);

/** All texts within, keys left as they are. */
export function expandAll<T>(value: T, values: Values): T {
  if (typeof value === "string") return expand(value, values) as T;
  if (Array.isArray(value)) return value.map((one) => expandAll(one, values)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, expandAll(one, values)]),
  ) as T;
}

const nameCharsMax = 253;

/** A name of an object, from a text that may have anything in it. */
export const nameFrom = (text: string, values: Values) =>
  expand(text, values)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+/g, "")
    .slice(0, nameCharsMax)
    .replace(/-+$/, "");
