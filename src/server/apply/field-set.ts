// A set of field paths is kept as its own wire form, the `fieldsV1` of a managedFields entry: a
// trie whose edges are path elements (`f:name`, `k:{"name":"x"}`, `v:"x"`, `i:0`). Reading and
// writing an entry then costs nothing, which matters because every write of every object passes
// here. A node is in the set when it holds "." or holds nothing; the root of the trie is never in
// the set.
//
// Sets are shared and never changed in place; each operation returns an operand itself where it
// can.

export interface FieldSet {
  [element: string]: FieldSet;
}

/** A node that is in the set and has nothing below it. */
export const leaf: FieldSet = Object.freeze({});
export const emptySet: FieldSet = Object.freeze({});

export function isEmpty(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** The set with its elements in order, as every server tells it; itself when they are. */
export function inOrder(set: FieldSet): FieldSet {
  let sorted = true;
  let changed = false;
  let last = "";
  const children: FieldSet = {};
  for (const element in set) {
    if (element < last) sorted = false;
    last = element;
    const child = set[element]!;
    children[element] = inOrder(child);
    if (children[element] !== child) changed = true;
  }
  if (sorted) return changed ? children : set;
  const out: FieldSet = {};
  for (const element of Object.keys(children).sort()) out[element] = children[element]!;
  return out;
}

const isMember = (node: FieldSet) => node["."] !== undefined || isEmpty(node);

/** The node, made a member. */
const asMember = (node: FieldSet): FieldSet => (isMember(node) ? node : { ".": leaf, ...node });

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  if (isEmpty(b)) return asMember(a);
  if (isEmpty(a)) return asMember(b);
  return unionChildren(a, b);
}

function unionChildren(a: FieldSet, b: FieldSet): FieldSet {
  let out = a;
  for (const element in b) {
    const [mine, theirs] = [a[element], b[element]!];
    const both = mine ? unionNodes(mine, theirs) : theirs;
    if (both === mine) continue;
    if (out === a) out = { ...a };
    out[element] = both;
  }
  return out;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  return isEmpty(b) ? a : unionChildren(a, b);
}

/** Keeps what of node `a` survives node `b`; undefined when nothing does. */
type Subtract = (a: FieldSet, b: FieldSet) => FieldSet | undefined;

function subtractChildren(a: FieldSet, b: FieldSet, subtract: Subtract, member: boolean) {
  const out: FieldSet = {};
  let changed = member !== isMember(a);
  let children = 0;
  for (const element in a) {
    if (element === ".") continue;
    const [mine, theirs] = [a[element]!, b[element]];
    const rest = theirs ? subtract(mine, theirs) : mine;
    if (rest !== mine) changed = true;
    if (!rest) continue;
    out[element] = rest;
    children++;
  }
  if (!changed) return a;
  if (children === 0) return member ? leaf : undefined;
  return member ? { ".": leaf, ...out } : out;
}

const subtractMembers: Subtract = (a, b) =>
  subtractChildren(a, b, subtractMembers, isMember(a) && !isMember(b));

const subtractTrees: Subtract = (a, b) =>
  isMember(b) ? undefined : subtractChildren(a, b, subtractTrees, isMember(a));

const fromRoot = (a: FieldSet, b: FieldSet, subtract: Subtract) =>
  isEmpty(a) || isEmpty(b) ? a : (subtractChildren(a, b, subtract, false) ?? emptySet);

/** The members of `a` that are not in `b`. */
export const difference = (a: FieldSet, b: FieldSet) => fromRoot(a, b, subtractMembers);

/** The members of `a` that are not in `b` and not below a member of `b`. */
export const withoutTrees = (a: FieldSet, b: FieldSet) => fromRoot(a, b, subtractTrees);

function intersectNodes(a: FieldSet, b: FieldSet, root: boolean): FieldSet | undefined {
  const member = !root && isMember(a) && isMember(b);
  const out: FieldSet = {};
  let children = 0;
  for (const element in a) {
    const theirs = b[element];
    if (element === "." || !theirs) continue;
    const both = intersectNodes(a[element]!, theirs, false);
    if (!both) continue;
    out[element] = both;
    children++;
  }
  if (children === 0) return member ? leaf : undefined;
  return member ? { ".": leaf, ...out } : out;
}

export const intersection = (a: FieldSet, b: FieldSet) => intersectNodes(a, b, true) ?? emptySet;

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  let left = 0;
  for (const _ in b) left++;
  for (const element in a) {
    const theirs = b[element];
    if (!theirs || !equalSets(a[element]!, theirs)) return false;
    left--;
  }
  return left === 0;
}

/** Every path in the set, parents first, siblings sorted. A path is a list of elements. */
export function* pathsOf(set: FieldSet, prefix: string[] = []): Generator<string[]> {
  if (prefix.length > 0 && isMember(set)) yield prefix;
  for (const element of Object.keys(set).sort()) {
    if (element !== ".") yield* pathsOf(set[element]!, [...prefix, element]);
  }
}

/** A path as conflicts print it: `.spec.containers[name="web"].image`. */
export function printPath(path: readonly string[]): string {
  return path.map(printElement).join("");
}

function printElement(element: string): string {
  const text = element.slice(2);
  if (element.startsWith("f:")) return `.${text}`;
  if (element.startsWith("v:")) return `[=${text}]`;
  if (element.startsWith("i:")) return `[${text}]`;
  const keys = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}]`;
}
