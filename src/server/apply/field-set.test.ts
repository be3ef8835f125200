import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  difference,
  equalSets,
  type FieldSet,
  inOrder,
  intersection,
  isEmpty,
  pathsOf,
  printPath,
  union,
  withoutTrees,
} from "./field-set.ts";
import { readFieldsV1 } from "./fields-v1.ts";

const element = fc.constantFrom("f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0");
const path = fc.array(element, { minLength: 1, maxLength: 4 });
const paths = fc.array(path, { maxLength: 8 });

function setOf(all: string[][]): FieldSet {
  const single = (path: string[]) => path.reduceRight<FieldSet>((below, e) => ({ [e]: below }), {});
  return all.map(single).reduce(union, {});
}
const listed = (set: FieldSet) => [...pathsOf(set)].map((p) => p.join("|"));
const sorted = (all: string[][]) => [...new Set(all.map((p) => p.join("|")))].sort();

test("a set holds exactly the paths put into it", () => {
  fc.assert(fc.property(paths, (all) => assert.deepEqual(listed(setOf(all)).sort(), sorted(all))));
});

test("union, difference and intersection are those of plain sets of paths", () => {
  fc.assert(
    fc.property(paths, paths, (left, right) => {
      const [a, b] = [new Set(sorted(left)), new Set(sorted(right))];
      const [x, y] = [setOf(left), setOf(right)];
      assert.deepEqual(new Set(listed(union(x, y))), a.union(b));
      assert.deepEqual(new Set(listed(difference(x, y))), a.difference(b));
      assert.deepEqual(new Set(listed(intersection(x, y))), a.intersection(b));
      const below = [...a].filter((p) => ![...b].some((q) => p === q || p.startsWith(`${q}|`)));
      assert.deepEqual(new Set(listed(withoutTrees(x, y))), new Set(below));
      assert.equal(equalSets(x, y), a.symmetricDifference(b).size === 0);
    }),
  );
});

test("fieldsV1 round-trips, and its keys come out sorted", () => {
  fc.assert(
    fc.property(paths, (all) => {
      const set = setOf(all);
      assert.ok(equalSets(readFieldsV1(JSON.parse(JSON.stringify(set)))!, set));
    }),
  );
  const read = readFieldsV1({ 'k:{"protocol":"TCP", "port":80}': { ".": {}, "f:name": {} } });
  assert.deepEqual(Object.keys(read!), ['k:{"port":80,"protocol":"TCP"}']);
});

test("malformed fieldsV1 is refused", () => {
  const cases = [
    null,
    [],
    "x",
    { a: {} },
    { "k:x": {} },
    { "v:": {} },
    { "i:x": {} },
    { "f:a": 1 },
  ];
  for (const json of cases) assert.equal(readFieldsV1(json), undefined, JSON.stringify(json));
});

test("paths print as conflicts show them", () => {
  const cases: [string[], string][] = [
    [["f:spec", "f:replicas"], ".spec.replicas"],
    [["f:c", 'k:{"name":"web"}', "f:image"], '.c[name="web"].image'],
    [["f:p", 'k:{"port":80,"protocol":"TCP"}'], '.p[port=80,protocol="TCP"]'],
    [["f:finalizers", 'v:"x"'], '.finalizers[="x"]'],
    [["f:l", "i:3"], ".l[3]"],
  ];
  for (const [path, text] of cases) assert.equal(printPath(path), text);
});

test("a set without paths is empty", () => {
  assert.ok(isEmpty(difference({ "f:a": {} }, { "f:a": {} })));
});

test("a set is told in order, and is the same object when it is in order already", () => {
  const set = { "f:b": { "f:z": {}, "f:a": {} }, ".": {}, "f:a": {} };
  assert.equal(JSON.stringify(inOrder(set)), '{".":{},"f:a":{},"f:b":{"f:a":{},"f:z":{}}}');
  const ordered = inOrder(set);
  assert.equal(inOrder(ordered), ordered);
});
