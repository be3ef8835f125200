// Lays an apply configuration over the live object (structured-merge-diff's Merge): fields of maps
// and items of keyed lists one by one, everything else as a whole.
import { isObject, own, setOwn } from "../../lib/json.ts";
import { anyType, type FieldType } from "./field-type.ts";
import { elementOf, itemsByElement, type JsonMap } from "./items.ts";

export function mergeMaps(type: FieldType, live: JsonMap, config: JsonMap): JsonMap {
  const out: JsonMap = { ...live };
  for (const name of Object.keys(config)) {
    const field = type.fields?.get(name);
    const childType = field ? field.type() : (type.rest?.() ?? anyType);
    const value = mergeValues(childType, own(live, name), config[name]);
    if (value === null) delete out[name];
    else setOwn(out, name, value);
  }
  return out;
}

function mergeValues(type: FieldType, live: unknown, config: unknown): unknown {
  const byField = type.shape === "map" || type.shape === "any";
  if (byField && isObject(config)) return mergeMaps(type, isObject(live) ? live : {}, config);
  const byItem = type.shape === "list" || type.shape === "set";
  if (byItem && Array.isArray(config)) {
    return mergeLists(type, Array.isArray(live) ? live : [], config);
  }
  return config;
}

/**
 * Items in the order of the configuration; live items that it does not name keep their place
 * between the shared ones. `shared` walks the items on both sides in the configuration's order.
 */
function mergeLists(type: FieldType, live: unknown[], config: unknown[]): unknown[] {
  const liveElements = live.map((item, index) => elementOf(type, item, index));
  const configElements = config.map((item, index) => elementOf(type, item, index));
  const liveItems = itemsByElement(type, live);
  const configItems = itemsByElement(type, config);
  const shared = configElements.filter((element) => liveItems.has(element)).values();
  let nextShared = shared.next().value;
  const merged = new Set<string>();
  const out: unknown[] = [];
  const take = (element: string) => {
    merged.add(element);
    const item = configItems.get(element)![0];
    const liveItem = liveItems.get(element)?.[0];
    out.push(type.item && liveItem !== undefined ? mergeValues(type.item(), liveItem, item) : item);
    if (nextShared === element) nextShared = shared.next().value;
  };
  for (let l = 0, c = 0; l < live.length || c < config.length;) {
    const element = liveElements[l];
    if (element !== undefined && element === configElements[c]) {
      take(element);
      l++;
      c++;
    } else if (element !== undefined && !configItems.has(element)) {
      out.push(live[l++]);
    } else if (element !== undefined && (merged.has(element) || element !== nextShared)) {
      l++;
    } else take(configElements[c++]!);
  }
  return out;
}
