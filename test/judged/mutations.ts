// Whole objects, and what people may get wrong in them: each field in turn is left out, emptied, given a wrong form,
// put out of range or said twice. Always the same list for the same objects.
type Any = any;
type Path = (string | number)[];

const left = Symbol("left out");

const texts = ["", "A_b", "x y", "a".repeat(70), "a".repeat(300), "../x", "/abs", "a.b", ".", "-a"];
const amounts = ["-1", "0", "1m", "abc", "10Gi", "1500m"];
const shares = ["150%", "-1%", "5", 0, -1, 3];
const numbers = [0, -1, 1, 2, 101, 70_000, 2 ** 31 - 1];
const addresses =
  "1.2.3 01.2.3.4 ::1 127.0.0.1 0.0.0.0 169.254.1.1 224.0.0.1 ::ffff:1.2.3.4 10.0.0.1/8 fd00::/64 FD00::1 10.0.0.0/33";

const isShare = (name: unknown) => /^max(Surge|Unavailable)$|^minAvailable$/.test(String(name));

function wrongTexts(value: string, name: unknown): unknown[] {
  return [
    ...texts,
    ...(/^\d+(\.\d+)?(m|Gi|Mi)?$/.test(value) ? amounts : []),
    ...(value.endsWith("%") || isShare(name) ? shares : []),
    ...(/^\d+\.\d+\.\d+\.\d+/.test(value) ? addresses.split(" ") : []),
  ];
}

function wrongLists(list: unknown[]): unknown[] {
  const twice = list.length > 0 ? [[...list, list[0]]] : [];
  return [[], ...twice, ...(typeof list[0] === "object" ? [[{}]] : [])];
}

function wrongMaps(map: Any): unknown[] {
  const isOfTexts = Object.values(map).every((one) => typeof one === "string");
  return [{}, ...(isOfTexts ? [{ ...map, "A b": "x y" }, { "": "" }] : [])];
}

function wrongValues(value: Any, name: unknown): unknown[] {
  if (typeof value === "string") return wrongTexts(value, name);
  if (typeof value === "number") return [...numbers, ...(isShare(name) ? shares : [])];
  if (typeof value === "boolean") return [!value];
  return Array.isArray(value) ? wrongLists(value) : wrongMaps(value);
}

function* pathsOf(value: Any, path: Path = []): Generator<Path> {
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) {
    const next = [...path, Array.isArray(value) ? Number(key) : key];
    if (path.length === 0 && (key === "apiVersion" || key === "kind")) continue;
    if (next.join(".") === "metadata.name") continue;
    if (next.join(".") !== "metadata") yield next;
    yield* pathsOf(value[key], next);
  }
}

const at = (object: Any, path: Path) => path.reduce((value, key) => value[key], object);

function changed(object: Any, path: Path, value: unknown): Any {
  const copy = structuredClone(object);
  const parent = at(copy, path.slice(0, -1));
  const key = path.at(-1)!;
  if (value !== left) parent[key] = value;
  else if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return copy;
}

/** Each object as it is, and then every mutation of it. */
export function* mutations(objects: Any[]): Generator<Any> {
  for (const [i, one] of objects.entries()) {
    const object = { ...one, metadata: { name: `judged-${i}`, ...one.metadata } };
    yield object;
    for (const path of pathsOf(object)) {
      const value = at(object, path);
      for (const wrong of [left, ...wrongValues(value, path.at(-1))]) {
        if (JSON.stringify(wrong) === JSON.stringify(value)) continue;
        yield changed(object, path, wrong);
      }
    }
  }
}
