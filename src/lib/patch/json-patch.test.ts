import assert from "node:assert/strict";
import { test } from "node:test";
import { isStatus } from "../status-error.ts";
import { jsonPatch, operationsMax } from "./json-patch.ts";

const works: [document: any, operations: any[], result: any][] = [
  [{ a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
  [{ a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2, 3] }],
  [{ a: [1] }, [{ op: "add", path: "/a/-", value: 2 }], { a: [1, 2] }],
  [{ a: [1, 2] }, [{ op: "remove", path: "/a/-1" }], { a: [1] }],
  [{ a: { b: 1 } }, [{ op: "remove", path: "/a/b" }], { a: {} }],
  [{ a: 1 }, [{ op: "replace", path: "/a", value: null }], { a: null }],
  [{ a: 1 }, [{ op: "replace", path: "", value: { b: 1 } }], { b: 1 }],
  [{ a: 1 }, [{ op: "move", from: "/a", path: "/b" }], { b: 1 }],
  [
    { a: { c: 1 } },
    [
      { op: "copy", from: "/a", path: "/b" },
      { op: "add", path: "/b/d", value: 2 },
    ],
    { a: { c: 1 }, b: { c: 1, d: 2 } },
  ],
  [{ "x/y": { "~": 1 } }, [{ op: "test", path: "/x~1y/~0", value: 1 }], { "x/y": { "~": 1 } }],
  [{ a: 1 }, [{ op: "test", path: "/none", value: null }], { a: 1 }],
  [{ a: { b: [1, { c: 2 }] } }, [{ op: "test", path: "/a", value: { b: [1, { c: 2 }] } }], null],
  [{ "": 1 }, [{ op: "replace", path: "/", value: 2 }], { "": 2 }],
];

test("a JSON patch does what RFC 6902 says and changes neither side", () => {
  for (const [document, operations, result] of works) {
    const before = JSON.stringify([document, operations]);
    assert.deepEqual(jsonPatch(document, operations), result ?? document, before);
    assert.equal(JSON.stringify([document, operations]), before);
  }
});

const fails: [document: any, operations: any, reason: any, message: RegExp][] = [
  [{}, {}, "BadRequest", /list of operations/],
  [{}, [{ op: "frob", path: "/a" }], "Invalid", /Unexpected kind: frob/],
  [{}, [{ op: "add", path: "/a" }], "Invalid", /missing value for path: \/a/],
  [{}, [{ op: "add", path: "/a/b", value: 1 }], "Invalid", /doc is missing path: "\/a\/b"/],
  [{}, [{ op: "add", path: "a", value: 1 }], "Invalid", /doc is missing path: "a"/],
  [{}, [{ op: "remove", path: "/a" }], "Invalid", /Unable to remove nonexistent key: a/],
  [{}, [{ op: "remove", path: "" }], "Invalid", /doc is missing path/],
  [{}, [{ op: "replace", path: "/a", value: 1 }], "Invalid", /doc is missing key: \/a/],
  [{ a: [1] }, [{ op: "add", path: "/a/2", value: 1 }], "Invalid", /invalid index: 2/],
  [{ a: [1] }, [{ op: "add", path: "/a/x", value: 1 }], "Invalid", /parsing "x"/],
  [{ a: [1] }, [{ op: "add", path: "/a/01", value: 1 }], "Invalid", /parsing "01"/],
  [{ a: 1 }, [{ op: "test", path: "/a", value: 2 }], "Invalid", /testing value \/a failed/],
  [{ a: {} }, [{ op: "move", from: "/a", path: "/a/b" }], "Invalid", /into itself/],
  [{}, [{ op: "copy", from: "/b", path: "/a" }], "Invalid", /missing from path: \/b/],
  [{}, [{ op: "replace", path: "/__proto__/x", value: 1 }], "Invalid", /missing path/],
];

test("a JSON patch that does not fit is refused as a whole, saying why", () => {
  for (const [document, operations, reason, message] of fails) {
    assert.throws(
      () => jsonPatch(document, operations),
      (error: Error) => isStatus(error, reason) && message.test(error.message),
      JSON.stringify(operations),
    );
  }
});

test("a patch of too many operations or copies is refused", () => {
  const many = Array.from({ length: operationsMax + 1 }, () => ({ op: "test", path: "/a" }));
  assert.throws(
    () => jsonPatch({}, many),
    /maximum operations in a JSON patch is 10000, got 10001/,
  );
  const doubling = Array.from({ length: 40 }, () => ({ op: "copy", from: "/a", path: "/a/-" }));
  assert.throws(() => jsonPatch({ a: ["xxxxxxxxxx"] }, doubling), /exceeding the limit/);
});

test("a key named __proto__ is a key like any other", () => {
  const patched = jsonPatch({}, [{ op: "add", path: "/__proto__", value: { polluted: true } }]);
  assert.equal(JSON.stringify(patched), `{"__proto__":{"polluted":true}}`);
  assert.equal(patched.polluted, undefined);
});
