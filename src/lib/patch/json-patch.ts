// JSON patch, RFC 6902, with two habits of the library that Kubernetes uses: an index may count from the end
// (-1 is the last), and `test` for null passes where there is nothing.
import { isObject, jsonEqual, own, setOwn } from "../json.ts";
import { badRequest, StatusError } from "../status-error.ts";
import { unprocessable } from "./patch-error.ts";

export const operationsMax = 10_000;
/** What all `copy` operations of a patch may add together. */
export const copiedBytesMax = 3 * 2 ** 20;

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: any;
}

/** A whole document, held so that its root can be replaced too. */
interface Patched {
  root: any;
  copiedBytes: number;
}

/** Where a pointer leads: the container, and the name or index in it. */
interface Place {
  parent: any;
  key: string;
}

const missing = (text: string) => unprocessable(`${text}: missing value`);

function readOperation(value: unknown): Operation {
  if (!isObject(value)) throw badRequest("a JSON patch is a list of operations");
  const { op, path, from } = value;
  if (typeof op !== "string") throw unprocessable("Unexpected kind: unknown");
  if (typeof path !== "string") {
    throw unprocessable(`${op} operation does not apply: missing or invalid path`);
  }
  if ((op === "move" || op === "copy") && typeof from !== "string") {
    throw unprocessable(`${op} operation does not apply: missing or invalid from`);
  }
  return value as unknown as Operation;
}

/** Segments of a pointer; undefined when it does not start with a slash. */
function segments(pointer: string): string[] | undefined {
  if (!pointer.startsWith("/")) return undefined;
  const parts = pointer.slice(1).split("/");
  return parts.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The array index `key` stands for, below `length`; throws when it is none or out of bounds. */
function indexOf(key: string, length: number): number {
  if (!/^-?(0|[1-9]\d*)$/.test(key)) {
    throw unprocessable(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  }
  const index = Number(key);
  if (index >= length || index < -length) {
    throw unprocessable(`Unable to access invalid index: ${key}: invalid index referenced`);
  }
  return index < 0 ? index + length : index;
}

/** The value at a place; undefined when an object lacks it. */
function read({ parent, key }: Place): any {
  if (Array.isArray(parent)) return parent[indexOf(key, parent.length)];
  return own(parent, key);
}

/** The container `pointer` ends in; undefined when there is none. `pointer` is not empty. */
function locate(document: Patched, pointer: string): Place | undefined {
  const path = segments(pointer);
  if (!path) return undefined;
  const key = path.pop()!;
  let parent = document.root;
  for (const segment of path) {
    if (!isObject(parent) && !Array.isArray(parent)) return undefined;
    if (Array.isArray(parent) && segment === "-") return undefined;
    parent = read({ parent, key: segment });
  }
  return isObject(parent) || Array.isArray(parent) ? { parent, key } : undefined;
}

function add(document: Patched, path: string, value: unknown) {
  if (path === "") {
    document.root = value;
    return;
  }
  const place = locate(document, path);
  if (!place) throw missing(`add operation does not apply: doc is missing path: "${path}"`);
  const { parent, key } = place;
  if (!Array.isArray(parent)) setOwn(parent, key, value);
  else if (key === "-") parent.push(value);
  else parent.splice(indexOf(key, parent.length + 1), 0, value);
}

function remove(document: Patched, path: string) {
  const place = path === "" ? undefined : locate(document, path);
  if (!place) throw missing(`remove operation does not apply: doc is missing path: "${path}"`);
  const { parent, key } = place;
  if (Array.isArray(parent)) {
    parent.splice(indexOf(key, parent.length), 1);
  } else if (Object.hasOwn(parent, key)) {
    delete parent[key];
  } else {
    throw missing(`error in remove for path: '${path}': Unable to remove nonexistent key: ${key}`);
  }
}

function replace(document: Patched, path: string, value: unknown) {
  if (path === "") {
    document.root = value;
    return;
  }
  const place = locate(document, path);
  if (!place) throw missing(`replace operation does not apply: doc is missing path: ${path}`);
  const { parent, key } = place;
  if (Array.isArray(parent)) {
    parent[indexOf(key, parent.length)] = value;
  } else if (Object.hasOwn(parent, key)) {
    setOwn(parent, key, value);
  } else {
    throw missing(`replace operation does not apply: doc is missing key: ${path}`);
  }
}

function valueFrom(document: Patched, op: string, from: string): unknown {
  if (from === "") return document.root;
  const place = locate(document, from);
  const value = place && read(place);
  if (value === undefined) {
    throw missing(`${op} operation does not apply: doc is missing from path: ${from}`);
  }
  return value;
}

function move(document: Patched, { path, from }: Operation) {
  if (path.startsWith(`${from}/`)) {
    throw unprocessable(`move operation does not apply: ${from} cannot be moved into itself`);
  }
  const value = valueFrom(document, "move", from!);
  if (from !== "") remove(document, from!);
  add(document, path, value);
}

function copy(document: Patched, { path, from }: Operation) {
  const value = valueFrom(document, "copy", from!);
  document.copiedBytes += JSON.stringify(value).length;
  if (document.copiedBytes > copiedBytesMax) {
    throw unprocessable(
      "Unable to complete the copy, the accumulated size increase of copy is " +
        `${document.copiedBytes}, exceeding the limit ${copiedBytesMax}`,
    );
  }
  add(document, path, structuredClone(value));
}

function expectEqual(document: Patched, { path, value }: Operation) {
  const place = path === "" ? undefined : locate(document, path);
  if (path !== "" && !place) {
    throw missing(`test operation does not apply: is missing path: ${path}`);
  }
  const present = place ? read(place) : document.root;
  if (!jsonEqual(present ?? null, value ?? null)) {
    throw unprocessable(`testing value ${path} failed: test failed`);
  }
}

function apply(document: Patched, operation: Operation) {
  const { op, path, value } = operation;
  const needsValue = op === "add" || op === "replace";
  if (needsValue && value === undefined) {
    throw unprocessable(`${op} operation does not apply: missing value for path: ${path}`);
  }
  switch (op) {
    case "add":
      return add(document, path, structuredClone(value));
    case "remove":
      return remove(document, path);
    case "replace":
      return replace(document, path, structuredClone(value));
    case "move":
      return move(document, operation);
    case "copy":
      return copy(document, operation);
    case "test":
      return expectEqual(document, operation);
    default:
      throw unprocessable(`Unexpected kind: ${op}`);
  }
}

/** A new document: `document` with `operations` applied in turn, all or none. Throws StatusError. */
export function jsonPatch(document: any, operations: unknown): any {
  if (!Array.isArray(operations)) throw badRequest("a JSON patch is a list of operations");
  if (operations.length > operationsMax) {
    throw new StatusError(
      "RequestEntityTooLarge",
      "Request entity too large: The allowed maximum operations in a JSON patch is " +
        `${operationsMax}, got ${operations.length}`,
    );
  }
  const patched: Patched = { root: structuredClone(document), copiedBytes: 0 };
  for (const operation of operations) apply(patched, readOperation(operation));
  return patched.root;
}
