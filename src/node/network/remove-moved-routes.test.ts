import assert from "node:assert/strict";
import { test } from "node:test";
import { movedRemovals, removeMovedRoutes } from "./remove-moved-routes.ts";

const ours = "10.100.0.0/16";
const none = { routes: [], leftBehind: [], rules: [] };

const cases = [
  { what: "a machine that nothing moved from keeps all it has", shown: none, gone: [] },
  {
    what: "routes to addresses that moved go",
    shown: { ...none, routes: [{ dst: "10.100.0.7" }] },
    gone: ["route delete 10.100.0.7 proto 107"],
  },
  {
    what: "what a pod that was left behind has goes",
    shown: {
      ...none,
      leftBehind: [{ dst: "10.100.0.7" }],
      rules: [
        { src: "all", table: "local" },
        { src: "10.100.1.3", dst: "10.100.0.7", table: "107" },
        { src: "all", table: "main" },
      ],
    },
    gone: [
      "rule delete from 10.100.1.3 to 10.100.0.7 lookup 107",
      "route delete 10.100.0.7 table 107",
    ],
  },
  {
    what: "another cluster's stay",
    shown: {
      routes: [{ dst: "10.101.0.7" }],
      leftBehind: [{ dst: "10.101.0.7" }],
      rules: [{ src: "10.101.1.3", dst: "10.101.0.7", table: "107" }],
    },
    gone: [],
  },
  {
    what: "somebody else's rules, routes and ranges stay",
    shown: {
      routes: [{ dst: "default" }, { dst: "10.100.0.0/24" }],
      leftBehind: [],
      rules: [
        { src: "all", dst: "10.100.0.7", table: "12" },
        { src: "all", table: "107" },
      ],
    },
    gone: [],
  },
];

for (const { what, shown, gone } of cases) {
  test(what, () => {
    const words = movedRemovals(ours, shown).map((each) => each.join(" "));
    assert.deepEqual(words, gone);
  });
}

test("one that cannot be removed keeps no other from being removed", async () => {
  const done: string[] = [];
  await removeMovedRoutes(ours, async (_, args) => {
    if (args.includes("table") && args.includes("show")) throw new Error("no such table");
    if (args[0] === "-json")
      return args[1] === "route" ? '[{"dst":"10.100.0.7"},{"dst":"10.100.0.8"}]' : "";
    done.push(args[2]!);
    throw new Error("it is gone");
  });
  assert.deepEqual(done, ["10.100.0.7", "10.100.0.8"]);
});
