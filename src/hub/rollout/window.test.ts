import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf, windowOf } from "./window.ts";
import type { MaintenanceWindow } from "./window.ts";

const night: MaintenanceWindow = { schedule: "0 22 * * *", duration: "4h" };
const shops: MaintenanceWindow = { ...night, siteSelector: { matchLabels: { kind: "shop" } } };
const at = (text: string) => Date.parse(`2026-01-10T${text}:00Z`);
const shop = { kind: "shop" };

const rows: [string, MaintenanceWindow[], string, object, string][] = [
  ["no window", [], "12:00", {}, "open"],
  ["a window of others", [shops], "12:00", {}, "open"],
  ["its window by day", [shops], "12:00", { labels: shop }, "2026-01-10T22:00:00.000Z"],
  ["its window by night", [shops], "23:30", { labels: shop }, "open"],
  ["its window after midnight", [night], "01:59", {}, "open"],
  ["its window when it is over", [night], "02:00", {}, "2026-01-10T22:00:00.000Z"],
  ["a zone of its own", [night], "14:00", { timeZone: "Asia/Tokyo" }, "open"],
  ["a zone that nobody knows", [night], "22:00", { timeZone: "Moon/Far" }, "open"],
  ["one of two windows", [night, { schedule: "0 12 * * *", duration: "1h" }], "12:30", {}, "open"],
];
for (const [what, windows, time, site, expected] of rows) {
  test(`a site with ${what} at ${time} may be changed: ${expected}`, () => {
    const found = windowOf(windows, { labels: {}, ...site }, at(time));
    assert.equal(found.open ? "open" : new Date(found.opensAt).toISOString(), expected);
  });
}

test("a window that cannot be read is named and never opens", () => {
  const wrong = { schedule: "61 * * * *", duration: "4h" };
  assert.match(faultOf(wrong)!, /schedule "61 \* \* \* \*"/);
  assert.match(faultOf({ ...night, duration: "soon" })!, /duration "soon"/);
  assert.match(faultOf({ ...night, timeZone: "Moon/Far" })!, /time zone Moon\/Far/);
  assert.equal(faultOf(night), undefined);
  assert.deepEqual(windowOf([wrong], { labels: {} }, 0), { open: false, opensAt: Infinity });
});
