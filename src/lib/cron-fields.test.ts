import assert from "node:assert/strict";
import { test } from "node:test";
import { cronFields } from "./cron-fields.ts";

test("schedules are read as Kubernetes reads them", () => {
  for (const [text, plain] of [
    ["*/15 * * * *", "0,15,30,45 * * * *"],
    ["*/70 0 1 JAN MON", "0 0 1 1 1"],
    ["5,10-12 8-18/5 ? * mon-FRI", "5,10,11,12 8,13,18 * * 1,2,3,4,5"],
    ["0 0 1-31 */1 *", `0 0 ${Array.from({ length: 31 }, (_, i) => i + 1).join(",")} * *`],
    ["50/5 0 * * 0", "50,55 0 * * 0"],
    ["@hourly", "0 * * * *"],
    ["@midnight", "0 0 * * *"],
  ] as const) {
    assert.equal(cronFields(text), plain, text);
  }
});

test("what other crons take and Kubernetes does not is refused in its words", () => {
  for (const [text, message] of [
    ["", /empty spec string/],
    ["* * *", /expected exactly 5 fields, found 3: \[\* \* \*\]/],
    ["* * * * * *", /expected exactly 5 fields, found 6/],
    ["TZ=UTC * * * * *", /cannot use TZ or CRON_TZ in schedule, use timeZone field instead/],
    ["@reboot", /unrecognized descriptor: @reboot/],
    ["0 0 L * *", /failed to parse int from L/],
    ["0 0 * * MON#2", /failed to parse int from MON#2/],
    ["0 0 * * 7", /end of range \(7\) above maximum \(6\): 7/],
    ["0 0 0 * *", /beginning of range \(0\) below minimum \(1\): 0/],
    ["30-10 * * * *", /beginning of range \(30\) beyond end of range \(10\)/],
    ["*/0 * * * *", /step of range should be a positive number/],
    ["1-2-3 * * * *", /too many hyphens/],
    ["1/2/3 * * * *", /too many slashes/],
    [", * * * *", /failed to parse int/],
  ] as const) {
    assert.throws(() => cronFields(text), message, text);
  }
});
