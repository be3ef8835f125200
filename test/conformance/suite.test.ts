import assert from "node:assert/strict";
import { test } from "node:test";
import { readReport, tierOf } from "./suite.ts";
import type { ConformanceTest, Rules } from "./suite.ts";
import { conformanceTable, withTable } from "./table.ts";

const rules: Rules = {
  A: { "a.go": ["lists"] },
  B: { "a.go": [""] },
  W: {},
  C: {},
  D: { "": [""] },
};

test("a test belongs to the first tier with a rule for it", () => {
  const tier = (file: string, name: string) => tierOf({ file, name }, rules);
  assert.equal(tier("a.go", "it lists"), "A");
  assert.equal(tier("a.go", "it runs"), "B");
  assert.equal(tier("b.go", "it lists"), "D");
});

test("a report names what passed and says why the rest did not", () => {
  const spec = (State: string, text: string, more: object = {}) => ({
    LeafNodeType: "It",
    LeafNodeText: text,
    ContainerHierarchyTexts: ["[sig] Room"],
    State,
    ...more,
  });
  const report = [
    {
      SpecReports: [
        spec("passed", "opens"),
        spec("skipped", "waits"),
        spec("failed", "shuts", { Failure: { Message: "no\n  door" } }),
      ],
    },
  ];
  assert.deepEqual(readReport(JSON.stringify(report)), {
    "[sig] Room opens": "passed",
    "[sig] Room shuts": "failed: no door",
  });
});

test("the table counts by tier and tells every failure", () => {
  const tests: ConformanceTest[] = [
    { name: "Room opens [Conformance]", file: "a.go", tier: "A" },
    { name: "Room shuts [Conformance]", file: "a.go", tier: "A" },
  ];
  const results = { "Room opens [Conformance]": "passed", "Room shuts [Conformance]": "no door" };
  const table = conformanceTable(tests, results);
  assert.match(table, /^\*\*1 of 2\*\*/);
  assert.match(table, /\| A \| [^|]+ \| 2 \| 2 \| 1 \|/);
  assert.match(table, /- A: Room shuts: no door/);
  const page =
    "before\n<!-- conformance: written by npm run conformance -->\nold\n<!-- /conformance -->\n";
  assert.match(withTable(page, table), /^before\n[^]*1 of 2[^]*<!-- \/conformance -->\n$/);
  assert.throws(() => withTable("no markers", table), /lacks/);
});
