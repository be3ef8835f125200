// Items of lists that are owned item by item, under the path elements that name them.
import { isObject } from "../../lib/json.ts";
import { keyElement } from "./fields-v1.ts";
import type { FieldType } from "./field-type.ts";

export type JsonMap = Record<string, any>;

/** The name of a key field that `item` lacks and that has no default, if any. */
export const missingKey = (type: FieldType, item: unknown) =>
  type.keys!.find(({ name, fallback }) => {
    const value = isObject(item) ? item[name] : undefined;
    return (value ?? fallback ?? undefined) === undefined;
  })?.name;

/** The element that names `item`; an item without its keys is named by its place. */
export function elementOf(type: FieldType, item: unknown, index: number): string {
  if (type.shape === "set") return `v:${JSON.stringify(item)}`;
  const keys = type.keys!;
  if (!isObject(item)) return `i:${index}`;
  if (keys.length === 1) {
    const { name, fallback } = keys[0]!;
    const value = item[name] ?? fallback;
    if (value === undefined) return `i:${index}`;
    return `k:{${JSON.stringify(name)}:${JSON.stringify(value)}}`;
  }
  if (missingKey(type, item) !== undefined) return `i:${index}`;
  return keyElement(keys.map(({ name, fallback }) => [name, item[name] ?? fallback]));
}

/** Items by element, in order. An element that occurs twice (only invalid lists) has several. */
export function itemsByElement(type: FieldType, list: readonly unknown[]): Map<string, unknown[]> {
  const items = new Map<string, unknown[]>();
  list.forEach((item, index) => {
    const element = elementOf(type, item, index);
    const same = items.get(element);
    if (same) same.push(item);
    else items.set(element, [item]);
  });
  return items;
}
