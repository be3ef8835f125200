import assert from "node:assert/strict";
import { test } from "node:test";
import { bothLogs, sentenceOf, spokenLog } from "./spoken-log.ts";

test("a person at a terminal reads sentences", () => {
  const lines: string[] = [];
  const log = spokenLog("info", (line) => lines.push(line)).with({ room: "store", site: "shop" });
  log.debug("not told");
  log.info("the server is back");
  log.warn("writes are slower", { directory: "/a b", why: undefined, pages: [1, 2] });
  log.error("lost");
  assert.deepEqual(lines, [
    "the server is back (site: shop)",
    "! writes are slower (site: shop, directory: /a b, pages: [1,2])",
    "! error: lost (site: shop)",
  ]);
});

test("what others wrote cannot move the cursor, end the line or turn the text around", () => {
  const told = sentenceOf("pod\u001b[2J", {
    name: "a\nb\u009b31m\u202egpj",
    "\u0007key": { a: "\u001b" },
  });
  assert.equal(
    told,
    'pod\\u{1b}[2J (name: a\\u{a}b\\u{9b}31m\\u{202e}gpj, \\u{7}key: {"a":"\\u001b"})',
  );
});

test("what is told twice keeps its fields in both", () => {
  const [one, other]: string[][] = [[], []];
  const log = bothLogs(
    spokenLog("debug", (line) => one!.push(line)),
    spokenLog("warn", (line) => other!.push(line)),
  ).with({ a: 1 });
  log.info("x");
  log.warn("y");
  assert.deepEqual([one, other], [["x (a: 1)", "! y (a: 1)"], ["! y (a: 1)"]]);
});
